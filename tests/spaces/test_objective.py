"""What ranks a trial."""

import math

import numpy as np
import pytest

from tune_robust.errors import UserError
from tune_robust.spaces.objective import Objective, spent, step_of

EPOCHS = {
    1: {"val_accuracy": 0.4, "gradient_evaluations": 2.0},
    2: {"val_accuracy": 0.7, "gradient_evaluations": 4.0},
    3: {"val_accuracy": 0.5, "gradient_evaluations": 6.0},
}


@pytest.mark.parametrize(
    ("mode", "at", "value"),
    [("max", "last", 0.5), ("max", "best", 0.7), ("min", "best", 0.4), ("min", "last", 0.5)],
)
def test_value_at_the_last_or_the_best_epoch(mode, at, value):
    assert Objective("val_accuracy", mode, at).value(EPOCHS) == value


def test_nothing_before_the_first_epoch():
    objective = Objective("val_accuracy", "max", "best")
    assert objective.value({}) is None
    assert objective.best({1: {"val_accuracy": None}}) is None


def test_sorting_puts_the_best_first_and_the_missing_last():
    values = [0.2, None, 0.9, math.nan]
    best_first = sorted(values[:3], key=Objective("m", "max", "last").sort_key)
    assert best_first == [0.9, 0.2, None]
    assert sorted(values[:3], key=Objective("m", "min", "last").sort_key) == [0.2, 0.9, None]
    assert Objective("m", "max", "last").sort_key(math.nan) == math.inf


def test_better_is_strict():
    assert Objective("m", "max", "last").better(2, 1)
    assert not Objective("m", "max", "last").better(1, 1)
    assert Objective("m", "min", "last").better(1, 2)


@pytest.mark.parametrize(
    ("mode", "best", "so_far"), [("max", 0.9, [0.2, 0.2, 0.9, 0.9]), ("min", 0.2, [0.2] * 4)]
)
def test_the_best_of_several_values_and_up_to_each(mode, best, so_far):
    objective = Objective("m", mode, "last")
    values = np.array([0.2, np.nan, 0.9, 0.5])
    assert objective.best_of(values) == best
    np.testing.assert_array_equal(objective.best_so_far(values), so_far)
    assert sorted([0.5, 0.2, 0.9], reverse=not objective.ascending)[0] == best


def test_the_best_of_nothing_is_unknown():
    objective = Objective("m", "max", "last")
    assert math.isnan(objective.best_of([]))
    assert math.isnan(objective.best_of([np.nan, np.inf]))
    assert len(objective.best_so_far([])) == 0


@pytest.mark.parametrize(("mode", "gain"), [("max", 0.1), ("min", -0.1)])
def test_a_gain_is_positive_where_it_is_better(mode, gain):
    objective = Objective("m", mode, "last")
    assert objective.gain(0.6, 0.5) == pytest.approx(gain)
    np.testing.assert_allclose(objective.gain(np.array([0.6, 0.5]), 0.5), [gain, 0])


def test_cost_in_each_unit():
    assert spent("seconds", 3, {"seconds": 1.25}) == 1.25
    assert spent("epochs", 3, EPOCHS[3]) == 3
    assert spent("gradient_evaluations", 3, EPOCHS[3]) == 6.0


@pytest.mark.parametrize("metrics", [{}, {"seconds": None}])
def test_a_record_without_its_cost_is_named(metrics):
    with pytest.raises(UserError, match="epoch 3 of a trial is recorded without 'seconds'"):
        spent("seconds", 3, metrics)


def test_steps_are_whole_and_resolve_fractions_of_a_second():
    assert step_of("gradient_evaluations", 3, {"gradient_evaluations": 6.0}) == 6
    assert step_of("epochs", 3, {}) == 3
    assert step_of("seconds", 3, {"seconds": 0.4567}) == 457
