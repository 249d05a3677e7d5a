"""A metric over one or two searched dimensions, predicted from the trials."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.formatting import number
from analysis.stored.axes import Axis, axes_of
from analysis.stored.noise import limits
from analysis.stored.ranking import ranking
from analysis.stored.replicates import averaged
from analysis.stored.run import Run
from analysis.surrogate.expectation import Expectation
from analysis.surrogate.observations import read_trials
from tune_robust.errors import UserError, unknown
from tune_robust.formatting import count
from tune_robust.metrics import metric
from tune_robust.runs.naming import run_argument
from tune_robust.spaces.distributions import Plain

_FAVOURITES = ("sam.rho", "saner.alpha")
_KINDS = ("method", "sam.adaptive")
"""Choices that change the meaning of a number: a surface shows one option of each."""

_CELLS = 61
_NOTHING = np.empty(0)
_FEWEST = {1: 4, 2: 6}


class Surface(NamedTuple):
    """A metric over one or two dimensions, predicted at full budget.

    ``mean``, ``deviation``, ``doubt`` (0 is certain, 1 the prior) and the ends of the 90 %
    interval, ``low`` and ``high``, are arrays of shape (y, x), or (x,) if ``y`` is None; they are
    empty if ``problem`` says why there is no surface. ``observed`` has one row per trial on the
    surface: every column of ``trials``, and ``value``, the metric where the trial ended. ``kind``:
    the choices that all these trials share; ``budget``: the full budget in gradient evaluations.
    """

    metric: str
    x: Axis | None
    y: Axis | None
    xs: np.ndarray
    ys: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    doubt: np.ndarray
    low: np.ndarray
    high: np.ndarray
    observed: pd.DataFrame
    kind: dict[str, Plain]
    budget: float
    problem: str | None

    @property
    def across(self) -> Axis:
        """Return ``x``, which every surface without a problem has."""
        return _known(self.x)

    @property
    def up(self) -> Axis:
        """Return ``y``, which every surface over two dimensions has."""
        return _known(self.y)


def _known(axis: Axis | None) -> Axis:
    if axis is None:
        raise ValueError("the surface has no such dimension")
    return axis


@lru_cache(maxsize=8)
def fit_surface(
    run: Run, metric_name: str | None = None, x: str | None = None, y: str | None = None
) -> Surface:
    """Fit a metric (default: the objective) over the dimensions ``x`` and ``y``.

    By default the dimensions are sam.rho and saner.alpha if they were searched, otherwise the two
    numeric ones with the most different values; a single dimension gives a curve. A trial counts at
    the budget where it ended and at earlier ones where others were stopped. To values at smaller
    budgets, the mean gain of the finished trials from there on is added, and the surrogate,
    whose inputs include the budget, learns how reliable that is. Fractions are fitted as log odds.

    Raises:
        UserError: The metric was not recorded, or a dimension was not searched or is not numeric.
    """
    run, metric_name = averaged(run), metric_name or run.objective.metric
    if metric_name not in run.epochs:
        raise UserError(unknown("metric", metric_name, run.epochs.columns.drop(["trial", "epoch"])))
    trials, kind = of_one_kind(run)
    dimensions = _chosen(run, trials, kind, x, y)
    paths = [dimension.path for dimension in dimensions]
    readings = read_trials(run, metric_name)
    ends = readings[np.isinf(readings["rung"])].set_index("trial")["value"]
    observed = _on_axes(trials, dimensions).assign(value=lambda t: t["trial"].map(ends))
    if len(observed):
        dimensions = [d.covering(observed[d.path].to_numpy(float)) for d in dimensions]
    budget = full_budget(observed)
    readings = readings[readings["status"] != "failed"].dropna(subset=["value"])
    readings = readings.merge(observed[["trial", *paths]], on="trial")
    axes = [dimension.from_unit(np.linspace(0, 1, _CELLS)) for dimension in dimensions]
    surface = Surface(
        metric=metric_name,
        x=dimensions[0] if dimensions else None,
        y=dimensions[1] if len(dimensions) > 1 else None,
        xs=axes[0] if axes else np.array([]),
        ys=axes[1] if len(axes) > 1 else np.array([]),
        mean=_NOTHING,
        deviation=_NOTHING,
        doubt=_NOTHING,
        low=_NOTHING,
        high=_NOTHING,
        observed=observed,
        kind=kind,
        budget=budget,
        problem=_problem(run, dimensions, readings, metric_name),
    )
    return surface if surface.problem else _fitted(run, surface, dimensions, readings)


def _fitted(run: Run, surface: Surface, dimensions: list[Axis], readings: pd.DataFrame) -> Surface:
    inputs = np.column_stack([d.to_unit(readings[d.path]) for d in dimensions])
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, _CELLS)] * len(dimensions)), axis=-1)
    possible = limits(run, surface.metric)
    expectation = Expectation(inputs, readings, surface.budget, surface.metric, possible)
    expected = expectation.at(grid.reshape(-1, len(dimensions)))
    return surface._replace(**expected.reshape(grid.shape[:-1])._asdict())


def full_budget(trials: pd.DataFrame) -> float:
    """Return the gradient evaluations of a finished trial, or the most of any if none finished."""
    spent = trials["gradient_evaluations"]
    done = float(spent[trials["status"] == "done"].max())
    return float(spent.max()) if np.isnan(done) else done


def of_one_kind(run: Run) -> tuple[pd.DataFrame, dict[str, Plain]]:
    """Return the trials of the same kind as the best trial on any axis, and that kind."""
    run = averaged(run)
    numeric = [dimension.path for dimension in run.dimensions if dimension.is_numeric]
    ranked = ranking(run).table.dropna(subset=numeric, how="all")
    trials, kind = run.trials, {}
    for path in _KINDS:
        if path in run.searched and len(ranked) and not pd.isna(best := ranked.iloc[0][path]):
            kind[path] = best.item() if isinstance(best, np.generic) else best
            trials = trials[trials[path] == kind[path]]
    return trials, kind


def _chosen(
    run: Run, trials: pd.DataFrame, kind: dict[str, Plain], x: str | None, y: str | None
) -> list[Axis]:
    searched = axes_of(run.space.get("search") or {}, kind)
    numeric = {dimension.path: dimension for dimension in searched if dimension.is_numeric}
    for path in (x, y):
        if path is not None and path not in numeric:
            raise UserError(unknown("numeric searched dimension", path, numeric))
    asked = [path for path in (x, y) if path is not None]
    explored = {path: trials[path].nunique() for path in numeric if path not in asked}
    free = [path for path in explored if explored[path] > 1] or list(explored)
    free.sort(key=lambda path: (path not in _FAVOURITES, -explored[path]))
    chosen = (asked + free)[:2]
    if not asked:
        # rho is always on the horizontal axis, however often each of the two was varied.
        chosen.sort(key=lambda path: _FAVOURITES.index(path) if path in _FAVOURITES else 2)
    return [numeric[path] for path in chosen]


def _on_axes(trials: pd.DataFrame, dimensions: list[Axis]) -> pd.DataFrame:
    """Return the trials that lie on every dimension; rho = 0 is not on a log axis."""
    for dimension in dimensions:
        values = trials[dimension.path].astype("float64")
        trials = trials[values > 0 if dimension.log else values.notna()]
    return trials


def _problem(run: Run, dimensions: list[Axis], readings: pd.DataFrame, name: str) -> str | None:
    """Return why no surface can be drawn, for the figure; None if it can."""
    if not dimensions:
        return "No number was searched, so there is no surface to draw."
    title = metric(name).title
    needed = _FEWEST[len(dimensions)]
    places = len(readings.drop_duplicates([dimension.path for dimension in dimensions]))
    if places < needed:
        drawn = "curve" if len(dimensions) == 1 else "surface"
        text = f"{count(places, 'setting')} with a score so far; a {drawn} needs {needed}."
        if run.space.get("searcher", {}).get("name") == "grid":
            return text
        more = f"tune-robust resume {run_argument(run.place)} --trials +{needed - places}"
        return f"{text} Add trials: {more}"
    if readings["value"].nunique() == 1:
        return f"Every trial has the same {title}, {number(readings['value'].iloc[0])}."
    return None
