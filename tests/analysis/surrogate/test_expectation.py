"""The scale on which a metric is modelled."""

import numpy as np
import pytest

from analysis.stored.noise import Limits
from analysis.surrogate.expectation import Scale

IMAGES = 200


@pytest.fixture
def scale():
    return Scale("test_accuracy", Limits(0.0, 1.0, IMAGES))


def test_values_return_from_the_scale(scale):
    values = np.linspace(0, 1, 11)
    assert scale.measured(scale.modelled(values)) == pytest.approx(values)


def test_a_perfect_score_is_that_of_half_a_mistake(scale):
    assert scale.modelled(np.ones(1)) == pytest.approx(np.log(IMAGES + 0.5) - np.log(0.5))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_perfect_score_has_a_sampling_error(scale, value):
    """Its log odds have about the variance of a Poisson count of half a mistake, 1 / 0.5.

    Half of it belongs to the trial alone.
    """
    assert scale.errors(np.array([value])) == pytest.approx(1.0, rel=0.01)


def test_the_error_is_the_binomial_one_of_log_odds_elsewhere(scale):
    expected = np.sqrt(0.5 / (IMAGES * 0.8 * 0.2))
    assert scale.errors(np.array([0.8])) == pytest.approx(expected, rel=0.01)
