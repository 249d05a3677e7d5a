"""Winners as files: ranked by the objective alone, and accepted by ``train`` as they are."""

import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from tests.tuning.simulated import peak, simulate, space
from tune_robust.api.configuration import load_configuration
from tune_robust.config import parse_config
from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.trial import Trial
from tune_robust.spaces.objective import Objective
from tune_robust.spaces.yaml_text import read_yaml
from tune_robust.tuning.winners.export import (
    _check_epoch,
    best_of_each_label_set,
    export_json,
    export_settings,
    export_table,
    export_weights,
    export_yaml,
    ranked,
)

PROVENANCE = {"command": ["tune-robust", "search"], "git_commit": None}


@pytest.fixture
def run(tmp_path):
    conductor = simulate(space(), tmp_path / "r")
    folder = RunFolder(tmp_path / "r")
    folder.write_meta(folder.read_meta() | PROVENANCE | {"versions": {}, "hardware": {}})
    return conductor, folder


def test_finished_trials_rank_before_better_ones_that_were_stopped(tmp_path):
    conductor = simulate(
        space(), tmp_path / "r", lambda t, e: peak(t, e) + (t.number == 3 and e < 2)
    )
    best = ranked(conductor.trials.values(), conductor.objective)
    values = [conductor.objective.value(t.epochs) for t in best]
    assert {t.status for t in best} == {"done"}
    assert values == sorted(values, reverse=True)


def test_the_seeds_of_a_setting_rank_by_their_mean(tmp_path):
    def curve(trial, epoch):
        lucky = {(0.1, 42): 0.7, (0.1, 43): 0.1, (0.2, 42): 0.5, (0.2, 43): 0.52}
        return lucky[trial.values["sam.rho"], trial.values["seed"]]

    grid = space(
        format=2,
        search={"seed": {"grid": [42, 43]}, "sam.rho": {"grid": [0.1, 0.2]}},
        searcher={"name": "grid"},
        budget={"trials": "all", "scheduler": "none"},
    )
    conductor = simulate(grid, tmp_path / "r", curve)
    best = ranked(conductor.trials.values(), conductor.objective)
    assert [(t.values["sam.rho"], t.values["seed"]) for t in best] == [(0.2, 42), (0.1, 42)]


def test_the_seeds_of_a_confirmed_trial_rank_by_their_mean():
    scores = [("t0007", 1, 0.7), ("t0003", 1, 0.5), ("t0007", 2, 0.1), ("t0003", 2, 0.52)]
    trials = [
        Trial(
            name=f"t{number:04d}",
            origin="confirmation",
            values={},
            config={"seed": seed, "data": {"seed": seed}, "sam": {"rho": int(confirms[1:])}},
            status="done",
            epochs={1: {"val_accuracy": score}},
            confirms=confirms,
        )
        for number, (confirms, seed, score) in enumerate(scores, 1)
    ]
    best = ranked(trials, Objective("val_accuracy", "max", "last"))
    assert [trial.name for trial in best] == ["t0002", "t0001"]


def test_stopped_trials_rank_when_none_has_finished(tmp_path):
    conductor = simulate(space(), tmp_path / "r")
    stopped = [t for t in conductor.trials.values() if t.status == "stopped"]
    assert {t.name for t in ranked(stopped, conductor.objective)} == {t.name for t in stopped}


def test_each_yaml_is_the_trials_own_configuration_to_the_last_bit(run, tmp_path):
    conductor, folder = run
    best = ranked(conductor.trials.values(), conductor.objective)[:3]
    paths = export_yaml(folder, best, tmp_path / "out")
    assert [p.name for p in paths] == [f"{i}_{t.name}.yaml" for i, t in enumerate(best, 1)]
    for path, trial in zip(paths, best, strict=True):
        document = read_yaml(path)
        assert parse_config(document["train"]) == parse_config(trial.config)
        assert document["result"]["metrics"] == trial.last
        assert f"tune-robust train --config {path}" in path.read_text()


def test_the_number_of_processes_goes_with_the_numbers(run, tmp_path):
    conductor, folder = run
    best = ranked(conductor.trials.values(), conductor.objective)[:1]
    for processes, expected in ((1, 1), (2, 2)):
        slots = {"cpus": 1, "gpus": 0.0, "concurrency": 1, "processes": processes}
        folder.write_meta(folder.read_meta() | {"slots": slots})
        (path,) = export_yaml(folder, best, tmp_path / "out")
        assert load_configuration(path).processes == expected
        assert load_configuration(path, settings=["epochs=9"]).processes == expected
        centre = export_settings(folder, best[0], {}, tmp_path / "centre.yaml", "why")
        assert load_configuration(centre).processes == expected


def test_settings_take_the_place_of_a_trials_own_and_train_accepts_them(run, tmp_path):
    conductor, folder = run
    trial = ranked(conductor.trials.values(), conductor.objective)[0]
    path = export_settings(folder, trial, {"sam.rho": 0.321}, tmp_path / "p.yaml", "the middle.")
    train, own = read_yaml(path)["train"], parse_config(trial.config)
    assert parse_config(train).sam.rho == 0.321
    train["sam"]["rho"] = own.sam.rho
    assert parse_config(train) == own
    assert "the middle." in path.read_text()
    assert "No trial had these settings" in path.read_text()


def test_json_and_tables_hold_the_same_trials_in_the_same_order(run, tmp_path):
    conductor, folder = run
    best = ranked(conductor.trials.values(), conductor.objective)[:3]
    names = [t.name for t in best]
    documents = json.loads(export_json(folder, best, tmp_path / "t.json").read_text())
    assert [d["result"]["trial"] for d in documents] == names
    paths = ["sam.rho", "saner.alpha"]
    csv = export_table(folder, best, paths, conductor.objective, tmp_path / "t.csv")
    parquet = export_table(folder, best, paths, conductor.objective, tmp_path / "t.parquet")
    assert list(pd.read_csv(csv)["trial"]) == list(pd.read_parquet(parquet)["trial"]) == names


def test_weights_that_are_not_kept_are_explained(run, tmp_path):
    conductor, folder = run
    with pytest.raises(UserError, match="weights of t0001 are not kept"):
        export_weights(
            folder, conductor.trials["t0001"], conductor.objective, tmp_path / "w.safetensors"
        )


@pytest.mark.parametrize(("at", "right"), [("last", 3), ("best", 2)])
def test_weights_are_those_of_the_epoch_that_ranks_the_trial(at, right):
    """Another checkpoint of the same trial may lie in its place."""
    epochs = {n: {"val_accuracy": value} for n, value in enumerate((0.1, 0.3, 0.2), 1)}
    trial = SimpleNamespace(name="t0001", epochs=epochs)
    objective = Objective("val_accuracy", "max", at)
    for epoch in (1, 2, 3, 4):
        if epoch == right:
            _check_epoch(epoch, trial, objective, Path("last.pt"))
        else:
            with pytest.raises(UserError, match=f"weights of epoch {epoch}, which is not"):
                _check_epoch(epoch, trial, objective, Path("last.pt"))


def test_label_sets_are_led_each_by_its_own_best(tmp_path):
    search = {"data.noise.rate": {"grid": [0.2, 0.4]}, "sam.rho": {"grid": [0.1, 0.3]}}
    noise = {"kind": "symmetric", "rate": 0.2}
    gridded = space(
        train={"data": {"dataset": "digits", "noise": noise}, "method": "sam", "epochs": 2},
        search=search,
        searcher={"name": "grid"},
        budget={"trials": 9, "scheduler": "none"},
    )
    conductor = simulate(gridded, tmp_path / "r")
    best = ranked(conductor.trials.values(), conductor.objective)
    leaders = best_of_each_label_set(best)
    assert sorted(t.values["data.noise.rate"] for t in leaders) == [0.2, 0.4]
    assert [t.values["sam.rho"] for t in leaders] == [0.3, 0.3]
