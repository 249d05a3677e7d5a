"""The robust region: the box of settings around the best in which hardly anything is lost."""

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

_STARTS = 3  # boxes grown
_STEP = 0.025  # of an axis, by which the box grows
_PROBES = 64  # settings looked at in each new slice of the box
_GOOD = 0.75  # fraction of them that must be within a point of the best
_NEAR = 0.5  # of the box's half width: how far a recorded trial may lie off the centre


class Setting(NamedTuple):
    """Settings by path, what to expect of them, and the 90 % interval of that.

    ``trial`` and ``score``: the finished trial that has these settings and what it scored, None
    where they were never tried.
    """

    values: dict[str, Any]
    expected: float
    low: float
    high: float
    trial: str | None
    score: float | None


class Region(NamedTuple):
    """A box of good settings.

    ``bounds``: per numeric path from where to where; ``width``: the fraction of the searched axis
    that this is, in [0, 1]. ``chosen``: the options of choices that it holds for. ``start``: a
    trial in it. ``sure``: how probable it is on average that a setting in the box is within a
    point of the best, in [0, 1]. ``peak``: the finished trial that scored best; ``plateau``: the
    centre of the box, or a finished trial close to it.
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
    """The box of settings within one point (1 % if it is no fraction) of the best, at full budget.

    The best is the most that the surrogate expects of a finished trial. A box starts from a trial
    close to that, grows along every dimension for as long as three in four of the settings it takes
    in are expected to be within a point, and stops where the surrogate knows little; of a few such
    boxes the widest counts. Other methods (and kinds of adaptive SAM) than the best one's are left
    out. None where there are too few trials to tell, or where no box around the best has a width
    along every dimension: a single setting is no region.
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
    """The plateau winner's settings by path, choices included; None where there is no region."""
    region = robust_region(run)
    return None if region is None else region.plateau.values


class _Box(NamedTuple):
    """Corners in [0, 1], the trial it grew from (one row), its options, and which axes apply."""

    low: np.ndarray
    high: np.ndarray
    start: pd.DataFrame
    chosen: dict[str, Any]
    applies: np.ndarray

    def sides(self, land: Landscape) -> list[tuple[Axis, tuple[float, float]]]:
        """Dimensions that apply, and from where to where the box reaches along each."""
        ends = zip(land.numeric, self.low, self.high, self.applies, strict=True)
        return [(d, (float(low), float(high))) for d, low, high, applies in ends if applies]


def _grown(land: Landscape, start: pd.DataFrame, sign: int, floor: float) -> _Box:
    """Every face of the box moves outwards in turn until it meets what is not good."""
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
    """(count, dimensions) points that fill [0, 1] evenly, always the same."""
    return qmc.Sobol(dimensions, scramble=True, rng=0).random(count)


def _bounds(dimension: Axis, low: float, high: float) -> tuple[float, float]:
    ends = dimension.from_unit([low, high])
    return float(ends[0]), float(ends[1])


def _plateau(run: Run, land: Landscape, finished: pd.DataFrame, box: _Box) -> Setting:
    """A finished trial near the centre of the box, else the centre itself."""
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
    """The options that a trial has of every searched choice."""
    paths = [dimension.path for dimension in run.dimensions if not dimension.is_numeric]
    return {path: row[path] for path in paths if not pd.isna(row[path])}
