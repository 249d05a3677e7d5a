"""Medians and means over seeds have intervals, and infinite values none."""

import math

import numpy as np
import pytest


@pytest.fixture(scope="module")
def intervals():
    import intervals

    return intervals


def test_a_median_that_was_never_reached_is_null(intervals):
    found = intervals.quantiles([0.1, math.inf, math.inf])
    assert (found["median"], found["low"]) == (None, 0.1)


def test_every_recording_has_the_same_weight_in_a_mean(intervals):
    many, one = np.full(90, 0.2), np.full(3, 0.6)
    assert intervals.mean_of([many, one]) == pytest.approx((0.4, 0.4, 0.4))
    assert intervals.mean_of([many, one], [one, one]) == pytest.approx((-0.2, -0.2, -0.2))


def test_the_interval_of_a_mean_is_that_of_its_seeds(intervals):
    values = np.random.default_rng(0).normal(size=400)
    standard_error = values.std() / 20
    mean, low, high = intervals.mean_of([values])
    assert mean == values.mean()
    assert (high - low) / 2 == pytest.approx(1.96 * standard_error, rel=0.1)
    apart = intervals.mean_of([values], [values])
    assert (apart.high - apart.low) / 2 == pytest.approx(1.96 * 2**0.5 * standard_error, rel=0.1)
