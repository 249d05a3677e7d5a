"""The benchmark of a search's overhead runs and says what it promises."""

import pytest


@pytest.mark.e2e
def test_prints_one_object(measured_apart):
    # One trial at a time: each process that trains takes seconds to start.
    size = ("--trials", "2", "--epochs", "1", "--at-a-time", "1")
    found = measured_apart("search_overhead.py", "--quick", *size)
    assert found["n"] == 1
    assert set(found["ratios"]) == {
        "search_over_training",
        "ray_tune_over_training",
        "optuna_over_training",
    }
    assert set(found["seconds"]) == {"start_up", "between_trials", "training_of_a_trial"}
    assert all(value > 0 for value in [*found["ratios"].values(), *found["seconds"].values()])
