"""Successive halving on hand-made results."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tune_robust.schedulers.asha import Asha, NoStopping


def asha(mode="max", grace=4, reduction=3, max_resource=100):
    return Asha(grace=grace, reduction=reduction, max_resource=max_resource, mode=mode)


def test_rungs_multiply_up_to_the_end_and_leave_it_out():
    assert list(asha(grace=4, reduction=3, max_resource=108).rungs) == [4, 12, 36]


def test_no_rung_when_the_grace_covers_the_whole_run():
    scheduler = asha(grace=40, max_resource=4)
    assert not scheduler.rungs
    assert scheduler.keep("a", 4, 0.0)


def test_the_first_results_decide_nothing():
    scheduler = asha()
    assert [scheduler.keep(t, 4, v) for t, v in [("a", 0.9), ("b", 0.1)]] == [True, True]


def test_the_worse_of_three_is_stopped_and_the_best_goes_on():
    scheduler = asha()
    scheduler.keep("a", 4, 0.5)
    scheduler.keep("b", 4, 0.6)
    assert not scheduler.keep("c", 4, 0.4)
    assert scheduler.keep("d", 4, 0.7)


def test_smaller_is_better_in_mode_min():
    scheduler = asha("min")
    scheduler.keep("a", 4, 0.5)
    scheduler.keep("b", 4, 0.6)
    assert scheduler.keep("c", 4, 0.4)
    assert not scheduler.keep("d", 4, 0.7)


def test_a_trial_counts_once_at_a_rung():
    scheduler = asha()
    scheduler.keep("a", 4, 0.9)
    scheduler.keep("a", 6, 0.1)
    assert scheduler.rungs[4] == {"a": 0.9}


def test_a_trial_that_leaps_over_rungs_is_recorded_in_each():
    scheduler = asha()
    scheduler.keep("a", 40, 0.9)
    assert all("a" in results for results in scheduler.rungs.values())


@given(values=st.lists(st.floats(0, 1), max_size=30))
def test_replaying_the_results_rebuilds_the_rungs(values):
    first, second = asha(), asha()
    for scheduler in (first, second):
        for i, value in enumerate(values):
            scheduler.keep(f"t{i}", 4 + i, value)
    assert first.rungs == second.rungs


@given(values=st.lists(st.integers(0, 5), max_size=40), mode=st.sampled_from(["max", "min"]))
def test_it_decides_as_counting_those_that_are_better_would(values, mode):
    scheduler, sign = asha(mode, max_resource=10), 1 if mode == "max" else -1
    for i, value in enumerate(values):
        better = sum(sign * other > sign * value for other in values[: i + 1])
        places = math.ceil((i + 1) / 3)
        assert scheduler.keep(f"t{i}", 4, value) == (i + 1 < 3 or better < places)


def test_no_stopping_keeps_everything():
    assert NoStopping().keep("a", 1000, float("-inf"))
