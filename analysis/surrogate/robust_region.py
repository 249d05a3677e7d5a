"""The robust region: the box of settings around the best in which the score hardly falls."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm, qmc

from analysis.stored.axes import Axis
from analysis.stored.replicates import averaged
from analysis.stored.run import Run
from analysis.surrogate.expectation import SURE, Expected, tolerance
from analysis.surrogate.landscape import Landscape, fit_landscape

_STARTS = 3  # boxes that are grown
_STEP = 0.025  # of an axis: how far the box grows at a time
_PROBES = 64  # settings evaluated in each new slice of the box
_GOOD = 0.75  # fraction of them that must be within a point of the best
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
    a finished trial close to it.
    """

    bounds: dict[str, tuple[float, float]]
    width: dict[str, float]
    chosen: dict[str, Any]
    start: str
    sure: float
    peak: Setting
    plateau: Setting


@lru_cache(maxsize=4)
def robust_region(run: Run) -> Region | None:
    """Return the box of settings within one point (1 % for non-fractions) of the best.

    The best is the highest prediction at a finished trial. A box starts at a trial close to it,
    grows along every dimension for as long as three in four of the added settings are predicted
    within a point, and stops where the surrogate is uncertain; the widest of a few such boxes is
    returned. Other methods (and kinds of adaptive SAM) than the best one's are left out. None if
    there are too few trials, or if no box around the best has a width along every dimension.
    """
    run = averaged(run)
    land = fit_landscape(run)
    if land is None:
        return None
    finished = land.trials[(land.trials["status"] == "done") & land.trials["objective"].notna()]
    finished = finished.dropna(subset=list(land.choices)).reset_index(drop=True)
    if finished.empty:
        return None
    sign = run.objective.sign
    means = sign * land.of(finished).mean
    best = float(means.max())
    floor = best - tolerance(run.objective.metric, best)
    starts = [place for place in np.argsort(-means)[:_STARTS] if means[place] >= floor]
    boxes = [_grown(land, finished.iloc[[place]], sign, floor) for place in starts]
    box = max(boxes, key=lambda box: (box.high - box.low).mean())
    if (box.high <= box.low)[box.applies].any():
        return None
    peak = finished.iloc[[int((sign * finished["objective"]).argmax())]]
    return Region(
        bounds={d.path: _bounds(d, *ends) for d, ends in box.sides(land)},
        width={d.path: float(high - low) for d, (low, high) in box.sides(land)},
        chosen=_options(run, box.start.iloc[0]),
        start=box.start["trial"].iloc[0],
        sure=_sure(land, box, sign, floor),
        peak=_recorded(run, land, peak),
        plateau=_plateau(run, land, finished, box),
    )


def plateau_settings(run: Run) -> dict[str, Any] | None:
    """Return the settings of the plateau by path, with choices; None if there is no region."""
    region = robust_region(run)
    return None if region is None else region.plateau.values


class _Box(NamedTuple):
    """Corners in [0, 1], the trial it grew from (one row), its options, and the axes that apply."""

    low: np.ndarray
    high: np.ndarray
    start: pd.DataFrame
    chosen: dict[str, Any]
    applies: np.ndarray

    def sides(self, land: Landscape) -> list[tuple[Axis, tuple[float, float]]]:
        """Return the dimensions that apply, each with the box's bounds along it."""
        ends = zip(land.numeric, self.low, self.high, self.applies, strict=True)
        return [(d, (float(low), float(high))) for d, low, high, applies in ends if applies]


def _grown(land: Landscape, start: pd.DataFrame, sign: int, floor: float) -> _Box:
    """Move every face of the box outwards in turn until it reaches settings that are not good."""
    chosen = {path: start[path].iloc[0] for path in land.choices}
    applies = start[[d.path for d in land.numeric]].notna().to_numpy()[0]
    low, high = land.positions(start)[0].clip(0, 1), land.positions(start)[0].clip(0, 1)
    unit = _spread(_PROBES, len(low))
    faces = [(axis, side) for axis in np.flatnonzero(applies) for side in (-1, 1)]
    while faces:
        for axis, side in tuple(faces):
            edge = high[axis] if side > 0 else low[axis]
            further = float(np.clip(edge + side * _STEP, 0, 1))
            probes = low + unit * (high - low)
            probes[:, axis] = edge + unit[:, axis] * (further - edge)
            expected = land.at(probes, chosen)
            good = (sign * expected.mean >= floor) & (expected.doubt <= SURE)
            if further == edge or good.mean() < _GOOD:
                faces.remove((axis, side))
            elif side > 0:
                high[axis] = further
            else:
                low[axis] = further
    return _Box(low, high, start, chosen, applies)


def _sure(land: Landscape, box: _Box, sign: int, floor: float) -> float:
    probes = box.low + _spread(256, len(box.low)) * (box.high - box.low)
    expected = land.at(probes, box.chosen)
    above = (sign * expected.mean - floor) / np.maximum(expected.deviation, 1e-9)
    return float(norm.cdf(above).mean())


def _spread(count: int, dimensions: int) -> np.ndarray:
    """Return (count, dimensions) points that fill [0, 1] evenly; they are deterministic."""
    return qmc.Sobol(dimensions, scramble=True, rng=0).random(count)


def _bounds(dimension: Axis, low: float, high: float) -> tuple[float, float]:
    ends = dimension.from_unit([low, high])
    return float(ends[0]), float(ends[1])


def _plateau(run: Run, land: Landscape, finished: pd.DataFrame, box: _Box) -> Setting:
    """Return a finished trial near the centre of the box, otherwise the centre itself."""
    centre, half = (box.low + box.high) / 2, (box.high - box.low) / 2
    alike = finished[(finished[list(box.chosen)] == list(box.chosen.values())).all(axis=1)]
    reach = np.where(box.applies, np.maximum(half, _STEP / 2), np.inf)
    off = np.abs((land.positions(alike) - centre) / reach).max(axis=1)
    if off.min() <= _NEAR:
        return _recorded(run, land, alike.iloc[[int(off.argmin())]])
    values = {
        d.path: d.nearest(float(d.from_unit((low + high) / 2)))
        for d, (low, high) in box.sides(land)
    }
    expected = _interval(land.at(centre[None], box.chosen))
    return Setting({**_options(run, box.start.iloc[0]), **values}, *expected, None, None)


def _recorded(run: Run, land: Landscape, trial: pd.DataFrame) -> Setting:
    row = trial.iloc[0]
    used = [d for d in land.numeric if not pd.isna(row[d.path])]
    values = {d.path: round(row[d.path]) if d.whole else float(row[d.path]) for d in used}
    expected = _interval(land.of(trial))
    score = float(row["objective"])
    return Setting({**_options(run, row), **values}, *expected, row["trial"], score)


def _interval(expected: Expected) -> tuple[float, float, float]:
    return float(expected.mean[0]), float(expected.low[0]), float(expected.high[0])


def _options(run: Run, row: pd.Series) -> dict[str, Any]:
    """Return a trial's option of every searched choice."""
    paths = [dimension.path for dimension in run.dimensions if not dimension.is_numeric]
    return {path: row[path] for path in paths if not pd.isna(row[path])}
