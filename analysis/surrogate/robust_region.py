"""The robust region: the box of settings around the best in which the score hardly falls."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analysis.stored.replicates import averaged
from analysis.stored.run import Run
from analysis.surrogate.best_region import best_region
from analysis.surrogate.box import STEP, Box, slice_of, spread
from analysis.surrogate.expectation import SURE, Expected, tolerance
from analysis.surrogate.features import Number
from analysis.surrogate.landscape import Landscape, fit_landscape
from analysis.surrogate.surface import of_one_kind

_STARTS = 3  # boxes that are grown
_PROBES = 64  # settings evaluated in each new slice of the box
_GOOD = 0.75  # fraction of them that must be within a point of the best
_FEWEST = 4  # trials per dimension of the box
_NEAR = 0.5  # of half the box's width: the distance allowed from a trial to the centre


class Setting(NamedTuple):
    """Settings by path, their predicted score, and its 90 % interval.

    ``trial`` and ``score``: the finished trial with these settings and its score; None if they were
    never tried.
    """

    values: dict[str, Any]
    expected: float
    low: float
    high: float
    trial: str | None
    score: float | None


class Region(NamedTuple):
    """A box of good settings.

    ``bounds``: the lower and upper bound of each numeric path; ``width``: its fraction of the
    searched axis, in [0, 1]. ``chosen``: the options of choices in the box. ``start``: a trial in
    it. ``sure``: the mean probability that a setting in the box is within a point of the best, in
    [0, 1]. ``peak``: the finished trial with the best score; ``plateau``: the centre of the box, or
    a finished trial close to it. ``best``: the bounds of each numeric path between which a setting
    within a point of the best lies with 90 % probability, all paths together (``best_region``).
    """

    bounds: dict[str, tuple[float, float]]
    width: dict[str, float]
    chosen: dict[str, Any]
    start: str
    sure: float
    peak: Setting
    plateau: Setting
    best: dict[str, tuple[float, float]]


@lru_cache(maxsize=4)
def robust_region(run: Run) -> Region | None:
    """Return the box of settings within one point (1 % for non-fractions) of the best.

    The best is the highest prediction at a finished trial. A box starts at a trial close to it,
    grows along every dimension for as long as three in four of the added settings are predicted
    within a point, and stops where the model is uncertain; the widest of a few such boxes is
    returned. Other methods (and kinds of adaptive SAM) than the best one's are left out. None if
    there are too few trials, or if no box around the best has a width along every dimension.
    """
    run = averaged(run)
    land = fit_landscape(run)
    if land is None:
        return None
    alike, _ = of_one_kind(run)
    seen = land.trials[land.trials["trial"].isin(alike["trial"])]
    finished = seen[(seen["status"] == "done") & seen["objective"].notna()].reset_index(drop=True)
    if finished.empty:
        return None
    sign = run.objective.sign
    means = sign * land.of(finished).mean
    best = float(means.max())
    floor = best - tolerance(run.objective.metric, best)
    starts = [place for place in np.argsort(-means)[:_STARTS] if means[place] >= floor]
    boxes = [_grown(land, finished.iloc[[place]], sign, floor) for place in starts]
    boxes = [box for box in boxes if box.sides and len(seen) >= _FEWEST * len(box.sides)]
    if not boxes:
        return None
    box = max(boxes, key=lambda box: box.width)
    if (box.high <= box.low).any():
        return None
    peak = finished.iloc[[int((sign * finished["objective"]).argmax())]]
    return Region(
        bounds=box.bounds(),
        width={number.path: high - low for number, (low, high) in box.ranges()},
        chosen=_options(run, box.start.iloc[0]),
        start=box.start["trial"].iloc[0],
        sure=_sure(land, box, sign, floor),
        peak=_recorded(run, land, peak),
        plateau=_plateau(run, land, finished, box),
        best=best_region(land, box, finished, sign, best - floor).bounds(),
    )


def plateau_settings(run: Run) -> dict[str, Any] | None:
    """Return the settings of the plateau by path, with choices; None if there is no region."""
    region = robust_region(run)
    return None if region is None else region.plateau.values


def _grown(land: Landscape, start: pd.DataFrame, sign: int, floor: float) -> Box:
    """Move every face of the box outwards in turn until it reaches settings that are not good."""
    numbers = (each for each in land.dimensions if isinstance(each, Number))
    sides = tuple(number for number in numbers if number.applies(start)[0])
    low = np.array([number.features(start)[0, 0] for number in sides]).clip(0, 1)
    high, unit, points = low.copy(), spread(_PROBES, len(sides)), slice_of(land, start, sides)
    faces = [(axis, side) for axis in range(len(sides)) for side in (-1, 1)]
    while faces:
        for axis, side in tuple(faces):
            edge = high[axis] if side > 0 else low[axis]
            further = float(np.clip(edge + side * STEP, 0, 1))
            probes = low + unit * (high - low)
            probes[:, axis] = edge + unit[:, axis] * (further - edge)
            expected = land.at(points(probes))
            good = (sign * expected.mean >= floor) & (expected.doubt <= SURE)
            if further == edge or good.mean() < _GOOD:
                faces.remove((axis, side))
            elif side > 0:
                high[axis] = further
            else:
                low[axis] = further
    return Box(start, sides, low, high)


def _sure(land: Landscape, box: Box, sign: int, floor: float) -> float:
    # Only needed here.
    from scipy.special import ndtr

    probes = box.low + spread(256, len(box.low)) * (box.high - box.low)
    expected = land.at(slice_of(land, box.start, box.sides)(probes))
    above = (sign * expected.mean - floor) / np.maximum(expected.deviation, 1e-9)
    return float(ndtr(above).mean())


def _plateau(run: Run, land: Landscape, finished: pd.DataFrame, box: Box) -> Setting:
    """Return a finished trial near the centre of the box, otherwise the centre itself."""
    centre, half = (box.low + box.high) / 2, (box.high - box.low) / 2
    off = np.abs((box.positions(land, finished) - centre) / np.maximum(half, STEP / 2)).max(axis=1)
    off = np.where(box.alike(land, finished), off, np.inf)
    if off.min() <= _NEAR:
        return _recorded(run, land, finished.iloc[[int(off.argmin())]])
    values = {
        number.path: number.axis.nearest(float(number.axis.from_unit((low + high) / 2)))
        for number, (low, high) in box.ranges()
    }
    expected = _interval(land.at(slice_of(land, box.start, box.sides)(centre[None])))
    return Setting({**_options(run, box.start.iloc[0]), **values}, *expected, None, None)


def _recorded(run: Run, land: Landscape, trial: pd.DataFrame) -> Setting:
    row = trial.iloc[0]
    numbers = [each for each in land.dimensions if isinstance(each, Number)]
    axes = [number.axis for number in numbers if number.applies(trial)[0]]
    values = {a.path: round(row[a.path]) if a.whole else float(row[a.path]) for a in axes}
    expected = _interval(land.of(trial))
    score = float(row["objective"])
    return Setting({**_options(run, row), **values}, *expected, row["trial"], score)


def _interval(expected: Expected) -> tuple[float, float, float]:
    return float(expected.mean[0]), float(expected.low[0]), float(expected.high[0])


def _options(run: Run, row: pd.Series) -> dict[str, Any]:
    """Return a trial's option of every searched choice."""
    paths = [dimension.path for dimension in run.dimensions if not dimension.is_numeric]
    return {path: row[path] for path in paths if not pd.isna(row[path])}
