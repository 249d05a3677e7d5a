"""The calibration benchmark, on two splits."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def calibration():
    import calibration

    return calibration


def test_the_intervals_of_the_surrogate_hold_most_held_out_trials(calibration):
    found = calibration.measured("methods_grid_digits", 30, 2)
    assert set(found) == set(calibration.MODELS)
    assert 0.8 < found["surrogate"]["90 %"] <= 1
    assert 0.35 < found["surrogate"]["50 %"] < 0.75
    assert found["surrogate"]["error"] < found["mean"]["error"]
    assert found["Optuna's GP"]["error"] < found["mean"]["error"]


def test_the_fractions_are_those_inside_the_intervals(calibration):
    values = np.array([0.0, 0.5, 1.0, 2.0])
    predicted = calibration._normal(np.zeros(4), np.ones(4))
    half, most, error = calibration._scores(predicted, values)
    assert (half, most) == (0.5, 0.75)
    assert error == pytest.approx(100 * np.sqrt(5.25 / 4))


def test_a_recording_that_is_too_small_is_left_out(calibration):
    assert calibration.measured("digits_symmetric_0", 55, 1) == {}


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
    assert found["splits"] == 2
    assert 0 <= found["good"] <= found["regions"] <= 2
