import numpy as np
import pandas as pd
import pytest

from analysis.stored.axes import Axis
from analysis.surrogate.best_region import best_region
from analysis.surrogate.box import Box
from analysis.surrogate.features import Number


class Known:
    """Draws of scores in which the best setting lies at one of a few positions."""

    def __init__(self, peaks):
        self._peaks = np.array(peaks)

    def column(self, number):
        return 0

    def features(self, trials):
        return trials[["x"]].to_numpy(float)

    def draw(self, points, rng, *, draws):
        peaks = self._peaks[np.arange(draws) % len(self._peaks)]
        return -np.abs(points[:, 0] - peaks[:, None])


@pytest.fixture
def box():
    axis = Axis(path="x", low=0.0, high=1.0, log=False)
    trial = pd.DataFrame({"trial": ["t0001"], "x": [0.5]})
    return Box(trial, (Number(axis, {}),), np.array([0.45]), np.array([0.55]))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_box_that_contains_the_best_stays(box, sign):
    known = Known([0.5])
    if sign < 0:
        known.draw = lambda *given, **rest: -Known([0.5]).draw(*given, **rest)
    assert best_region(known, box, box.start, sign, 0.01) is box


def test_the_box_grows_to_where_the_best_may_be(box):
    """One draw in ten has its best at 0.1, so that it need not be in the box."""
    grown = best_region(Known([0.5] * 5 + [0.8] * 4 + [0.1]), box, box.start, 1, 0.01)
    assert grown.low[0] == 0.45
    assert 0.79 <= grown.high[0] < 0.86
