"""What trials that continue others have inherited, and what their own epochs have taken."""

import json
from dataclasses import replace

import pytest

from analysis import best_so_far_data, cost_data
from analysis.report.notes import notes
from analysis.report.summary import summarise
from analysis.report.trial_table import trial_table
from analysis.stored.lineage import own
from tests.analysis.conftest import make_space

CONTINUED = {"trial": "t0002", "epoch": 10, "gradient_evaluations": 20.0, "seconds": 8.0}


@pytest.fixture
def run(build):
    """t0003, whose 40 epochs take 80 gradient evaluations, has inherited the first 10 from t0002.

    t0004 should have, too, but had to train them itself.
    """
    rows = [
        build.trial(1, {"sam.rho": 0.1}),
        build.trial(2, {"sam.rho": 0.2}),
        build.trial(3, {"sam.rho": 0.3}),
        build.trial(4, {"sam.rho": 0.4}, status="stopped", epochs=20),
    ]
    budget = {**make_space()["budget"], "scheduler": "pb2"}
    found = build.load(rows, space=make_space(budget=budget))
    is_inherited = (found.epochs["trial"] == "t0003") & (found.epochs["epoch"] <= 10)
    continues = [None, None, json.dumps(CONTINUED), json.dumps(CONTINUED)]
    trials = found.trials.assign(continues=continues)
    return replace(found, trials=trials, epochs=found.epochs[~is_inherited])


def test_inherited_epochs_are_counted_once(run):
    assert own(run, "gradient_evaluations").tolist() == [80, 80, 60, 40]
    summary = summarise(run)
    assert summary.spent == 260
    assert summary.seconds == pytest.approx(0.4 * 260)
    assert summary.saved == 0
    assert cost_data(run)["gradient_evaluations"].sum() == 260
    assert best_so_far_data(run)["spent"].max() == 260


def test_the_report_says_what_a_trial_continues(run):
    assert "2 trials continued the network of another one" in notes(run, summarise(run))
    assert trial_table(run).count("continues t0002 after epoch 10") == 2
