"""The report's figures and the plateau's configuration, as the command writes them."""

import json

import pandas as pd
import pytest

from tests.cli.command import run
from tests.tuning.simulated import simulate, space
from tune_robust.config import parse_config
from tune_robust.runs.folder import RunFolder
from tune_robust.spaces.yaml_text import read_yaml

pytestmark = pytest.mark.e2e

PROVENANCE = {"command": ["tune-robust", "search"], "git_commit": None, "created": None}


@pytest.fixture
def storage(tmp_path):
    (tmp_path / "runs").mkdir()
    budget = {"trials": 30, "scheduler": "none"}
    simulate(space(budget=budget), tmp_path / "runs" / "r1")
    folder = RunFolder(tmp_path / "runs" / "r1")
    folder.write_meta(folder.read_meta() | PROVENANCE | {"versions": {}, "hardware": {}})
    return tmp_path


def test_every_figure_becomes_a_file(storage):
    printed = run("report", "r1", "--figures", "tables", "--format", "csv", cwd=storage).stdout
    names = {path.name for path in (storage / "tables").iterdir()}
    assert {"sensitivity.csv", "importance.csv", "learning-curves.csv", "rung-check.csv"} <= names
    assert all(name in printed for name in names)
    assert len(pd.read_csv(storage / "tables" / "sensitivity.csv")) > 1000


def test_the_plateau_is_a_configuration_that_train_takes(storage):
    run("export", "r1", "--winner", "plateau", "--out", "out", cwd=storage)
    config = parse_config(read_yaml(storage / "out" / "plateau.yaml")["train"])
    assert 0.15 < config.sam.rho < 0.45  # the simulated score is best at 0.3
    assert config.method == "saner"


@pytest.mark.usefixtures("storage")
def test_a_plateau_has_no_table_and_no_weights(refused):
    for option in (["--format", "csv"], ["--checkpoint"]):
        said = refused("export", "r1", "--winner", "plateau", *option)
        assert "--winner plateau writes one YAML" in " ".join(said.split())


def test_the_rung_check_of_the_report_is_that_of_status(storage):
    from analysis import load_run, rung_check_data

    shown = json.loads(run("status", "r1", "--json", cwd=storage).stdout)["rung_check"]["rungs"]
    table = rung_check_data(load_run(storage / "runs" / "r1"))
    assert table["correlation"].tolist() == pytest.approx([r["correlation"] for r in shown])
    assert table["drops_best"].tolist() == [r["drops_best"] for r in shown]
