"""What label information says of a winner by noisy accuracy."""

import pytest

from tests.tuning.simulated import simulate, space
from tune_robust.spaces.objective import Objective
from tune_robust.tuning.winners.export import ranked
from tune_robust.tuning.winners.second_opinion import more_informative

ACCURACY = Objective("val_accuracy", "max", "last")
NOISE = {"kind": "symmetric", "rate": 0.5}


def searched(path, information, data=None):
    """The trials of a search, best first, with ``information(place)`` at each epoch."""
    train = {"method": "saner", "epochs": 6, "data": {"dataset": "digits", **(data or {})}}
    budget = {"trials": 5, "scheduler": "none"}
    conductor = simulate(space(train=train, budget=budget), path / "r")
    best = ranked(conductor.trials.values(), ACCURACY)
    for place, trial in enumerate(best):
        for metrics in trial.epochs.values():
            metrics["val_information"] = information(place)
    return best


@pytest.fixture
def disagreeing(tmp_path):
    return searched(tmp_path, lambda place: -abs(place - 2), {"noise": NOISE})


def test_another_trial_may_be_more_informative(disagreeing):
    assert more_informative(disagreeing[0], disagreeing, ACCURACY) is disagreeing[2]


def test_nothing_is_said_of_another_objective(disagreeing):
    loss = Objective("val_loss", "min", "last")
    assert more_informative(disagreeing[0], disagreeing, loss) is None


def test_a_winner_of_an_earlier_version_has_no_label_information(disagreeing):
    for metrics in disagreeing[0].epochs.values():
        del metrics["val_information"]
    assert more_informative(disagreeing[0], disagreeing, ACCURACY) is None


def test_the_winner_stays_so_among_equals(tmp_path):
    best = searched(tmp_path, lambda place: 1.0, {"noise": NOISE})
    assert more_informative(best[0], best[::-1], ACCURACY) is None


@pytest.mark.parametrize(
    "data", [{"noise": "none"}, {"noise": NOISE, "validation": {"labels": "clean"}}]
)
def test_clean_validation_labels_need_no_second_opinion(tmp_path, data):
    best = searched(tmp_path, float, data)
    assert more_informative(best[0], best, ACCURACY) is None
