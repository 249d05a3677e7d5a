"""Where the best setting lies: a box that contains one with 90 % posterior probability."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.surrogate.box import STEP, Box, slice_of, spread
from analysis.surrogate.landscape import Landscape

LEVEL = 0.9
_CANDIDATES = 512  # settings, besides the trials
_DRAWS = 300
_STRIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 40)  # steps by which a side may grow at once


def best_region(
    land: Landscape, box: Box, trials: pd.DataFrame, sign: int, tolerance: float
) -> Box:
    """Return ``box``, grown until it contains a best setting with a probability of ``LEVEL``.

    A best setting is one whose score is within ``tolerance`` of the highest. Its probability is
    that under joint draws of the scores of all candidates: settings that fill the axes, as far as
    they can be searched (a grid has few), and those of ``trials``. The box grows by the side that
    adds the most probability for its width.

    Args:
        land: the model.
        box: a box of good settings.
        trials: finished trials.
        sign: 1 if high scores are good, -1 if low ones are.
        tolerance: in the unit of the score.
    """
    places = _candidates(land, box, trials)
    points = slice_of(land, box.start, box.sides)(places)
    scores = sign * land.draw(points, np.random.default_rng(0), draws=_DRAWS)
    good = scores >= scores.max(axis=1, keepdims=True) - tolerance

    def probability(of: Box) -> float:
        return float(good[:, of.holds(places)].any(axis=1).mean())

    while (reached := probability(box)) < LEVEL:
        gains = {
            (probability(larger) - reached) / (larger.width - box.width): larger
            for larger in _larger(box)
        }
        box = gains[max(gains)]
    return box


def _candidates(land: Landscape, box: Box, trials: pd.DataFrame) -> np.ndarray:
    """Return different positions (m, sides) at which there may be trials."""
    places = spread(_CANDIDATES, len(box.sides))
    for column, number in enumerate(box.sides):
        axis = number.axis
        if axis.options or axis.whole:
            values = axis.from_unit(places[:, column])
            places[:, column] = axis.to_unit([axis.nearest(value) for value in values])
    tried = box.positions(land, trials[box.alike(land, trials)])
    return np.unique(np.concatenate([places, tried]).clip(0, 1), axis=0)


def _larger(box: Box) -> Iterator[Box]:
    """Yield the box with each of its sides moved outwards, by a few steps or many."""
    for side in range(len(box.sides)):
        for step in (STEP * stride for stride in _STRIDES):
            low, high = box.low.copy(), box.high.copy()
            low[side] = max(0.0, low[side] - step)
            high[side] = min(1.0, high[side] + step)
            if low[side] < box.low[side]:
                yield box._replace(low=low)
            if high[side] > box.high[side]:
                yield box._replace(high=high)
