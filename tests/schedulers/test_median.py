"""The median rule on hand-made results."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_robust.schedulers import median
from tune_robust.schedulers.median import Median


def with_flat_peers(*values, epochs=10, **changes):
    scheduler = Median(**{"grace": 4, "mode": "max", **changes})
    for i, value in enumerate(values):
        for epoch in range(1, epochs + 1):
            scheduler.keep(f"peer{i}", epoch, value)
    return scheduler


def test_below_the_median_of_five_is_stopped_and_above_it_goes_on():
    values = [0.1, 0.2, 0.5, 0.8, 0.9]
    assert not with_flat_peers(*values).keep("a", 4, 0.49)
    assert with_flat_peers(*values).keep("a", 4, 0.5)


def test_fewer_than_five_others_decide_nothing():
    assert with_flat_peers(0.9, 0.9, 0.9, 0.9).keep("a", 4, 0.0)
    assert not with_flat_peers(0.9, 0.9, 0.9, 0.9, least=4).keep("a", 4, 0.0)


def test_those_that_have_not_come_as_far_do_not_count():
    scheduler = with_flat_peers(0.9, 0.9, 0.9, 0.9, 0.9, epochs=6)
    assert scheduler.keep("a", 7, 0.0)


def test_its_best_value_so_far_counts_not_its_last():
    scheduler = with_flat_peers(0.5, 0.5, 0.5, 0.5, 0.5)
    scheduler.keep("a", 1, 0.6)
    assert scheduler.keep("a", 4, 0.0)


def test_the_others_count_with_their_average_up_to_there():
    scheduler = Median(grace=1, mode="max")
    for i in range(5):
        for epoch, value in enumerate([0.0, 0.4, 0.8, 9.9], 1):
            scheduler.keep(f"peer{i}", epoch, value)
    assert scheduler.keep("a", 3, 0.41)  # (0.0 + 0.4 + 0.8) / 3 = 0.4
    assert not scheduler.keep("b", 3, 0.39)


def test_methods_of_different_price_meet_at_equal_compute():
    scheduler = Median(grace=1, mode="max")
    for i in range(5):
        for epoch in range(1, 6):  # two gradient evaluations an epoch
            scheduler.keep(f"sam{i}", 2 * epoch, 0.1 * epoch)
    assert scheduler.keep("sgd", 5, 0.16)  # their average up to 4: (0.1 + 0.2) / 2
    assert not scheduler.keep("other", 5, 0.14)


def test_a_trial_is_compared_with_the_latest_of_many(monkeypatch):
    monkeypatch.setattr(median, "PEERS", 8)
    values = [0.9] * 20 + [0.1] * 7
    assert with_flat_peers(*values).keep("a", 4, 0.5)
    assert not with_flat_peers(*reversed(values)).keep("a", 4, 0.5)


@given(st.lists(st.lists(st.floats(0, 1), min_size=6, max_size=6), min_size=6, max_size=9))
def test_it_decides_as_the_rule_is_written(curves):
    scheduler = Median(grace=1, mode="max")
    *others, last = curves
    for i, curve in enumerate(others):
        for epoch, value in enumerate(curve, 1):
            scheduler.keep(f"t{i}", epoch, value)
    for epoch, value in enumerate(last, 1):
        bar = statistics.median(statistics.fmean(curve[:epoch]) for curve in others)
        keep = scheduler.keep("last", epoch, value)
        if max(last[:epoch]) != pytest.approx(bar, abs=1e-12):
            assert keep == (max(last[:epoch]) > bar)
