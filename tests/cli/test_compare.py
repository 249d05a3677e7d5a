"""``compare`` with the real command, over runs that never trained."""

import json

import pytest

from tests.cli.command import run
from tests.tuning.simulated import simulate, space

pytestmark = pytest.mark.e2e


@pytest.fixture
def runs(tmp_path):
    (tmp_path / "runs").mkdir()
    train = {"data": {"dataset": "digits"}, "method": "saner", "epochs": 6}
    for name, changes in {
        "tpe": {},
        "random": {"searcher": {"name": "random"}},
        "loss": {"objective": {"metric": "val_accuracy", "at": "best"}},
    }.items():
        simulate(space(train=train, **changes), tmp_path / "runs" / name)
    return tmp_path


def test_a_table_a_conclusion_and_a_page(runs):
    done = run("compare", "tpe", "random", "--reach", 0.5, "--out", "c.html", cwd=runs).stdout
    for promised in ("evaluations to 50.0%", "searcher tpe", "too few runs", "Page: c.html"):
        assert promised in done
    assert (runs / "c.html").stat().st_size > 1_000_000


def test_json_alone_on_standard_output(runs):
    found = json.loads(run("compare", "tpe", "runs/random", "--json", cwd=runs).stdout)
    labels = {row["label"] for row in found["scenes"][0]["searches"]}
    assert labels == {"simulated (searcher tpe)", "simulated (searcher random)"}
    assert (runs / found["page"]).stat().st_size > 1_000_000


def test_what_cannot_be_compared_is_refused(runs, refused):
    assert "Did you mean 'random'?" in refused("compare", "tpe", "randm")
    assert "given twice" in refused("compare", "tpe", "runs/tpe")
    assert "have different objectives" in refused("compare", "tpe", "loss")
    assert not (runs / "compare.html").exists()
    assert "cannot write runs" in refused("compare", "tpe", "random", "--out", "runs")
