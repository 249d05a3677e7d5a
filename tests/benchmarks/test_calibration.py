"""The calibration benchmark, on two splits."""

import numpy as np
import pandas as pd
import pytest

from analysis.surrogate.robust_region import Region, Setting


@pytest.fixture(scope="module")
def calibration():
    import calibration

    return calibration


def test_the_intervals_of_the_surrogate_hold_most_held_out_trials(calibration, monkeypatch):
    monkeypatch.setattr(calibration, "SIZES", (30,))
    found = calibration.measured("methods_grid_digits", 2)
    assert set(found) == set(calibration.MODELS)
    assert 0.8 < found["surrogate"].most.mean <= 1
    assert 0.35 < found["surrogate"].half.mean < 0.75
    assert found["surrogate"].error < found["mean"].error
    assert found["Optuna's GP"].error < found["mean"].error
    printed = calibration.interval_tables({"grid": found}).splitlines()
    assert printed[0].startswith("| recording | trials | model |")
    assert len(printed) == 2 * (2 + len(found)) + 1


def test_a_trial_counts_by_its_mean_over_the_splits_that_held_it_out(calibration):
    rest = pd.DataFrame({"trial": list("abcd"), "objective": [0.0, 0.5, 1.0, 2.0]})
    once = calibration.scores(calibration._normal(np.zeros(4), np.ones(4)), rest)
    again = calibration.scores(calibration._normal(np.full(4, 9.0), np.ones(4)), rest)
    found = calibration.coverage(pd.concat([once, again.iloc[:1]]))
    assert (found.half.n, found.half.mean) == (4, 0.375)  # a: once of twice, b: inside
    assert found.most.mean == 0.625
    assert found.error == pytest.approx(100 * np.sqrt((5.25 + 81) / 5))


def test_a_recording_that_is_too_small_is_left_out(calibration):
    assert not list(calibration.splits("digits_symmetric_0", 55, 1))


def test_a_region_holds_one_of_the_best_settings(calibration):
    trials = pd.DataFrame({"sam.rho": [0.1, 0.2, 0.9], "method": ["sam", "sam", "sgd"]})
    setting = Setting({}, 0.9, 0.8, 1.0, None, None)
    box, chosen = {"sam.rho": (0.1, 0.5)}, {"method": "sam"}
    region = Region(box, {}, chosen, "t0001", 1.0, setting, setting, {"sam.rho": (0.1, 1.0)})
    other = region._replace(chosen={"method": "sgd"})
    assert calibration.holds(region, box, trials, pd.Series([0.5, 0.895, 0.9]))
    assert not calibration.holds(region, box, trials, pd.Series([0.5, 0.88, 0.9]))
    assert not calibration.holds(other, box, trials, trials["sam.rho"])
    assert calibration.holds(other, region.best, trials, trials["sam.rho"])


def test_stopped_trials_end_at_a_third_of_the_budget_with_what_they_had_then(calibration):
    [(searched, _)] = calibration.splits("methods_grid_digits", 30, 1)
    run = calibration.stopped(searched)
    ended = run.trials[run.trials["status"] == "stopped"]
    assert 13 <= len(ended) <= 15
    assert ended["gradient_evaluations"].max() <= searched.trials["gradient_evaluations"].max() / 3
    last = run.epochs.sort_values("epoch").groupby("trial").tail(1).set_index("trial")
    assert (last.loc[ended["trial"], "val_accuracy"].to_numpy() == ended["objective"]).all()


def test_regions_are_counted(calibration):
    found = calibration.regions("methods_grid_digits", 45, 2, "saner")
    assert found.splits == 2
    assert 0 <= max(found.scored, found.tested) <= found.regions <= 2
    assert 0 <= found.plateau <= found.scored  # the region of the best contains the plateau
    assert 0 < found.width <= 1
    assert "| SANER | 2 |" in calibration.region_table({"SANER": found})
