"""A metric over one or two searched dimensions, predicted from the trials."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from analysis.formatting import number
from analysis.stored.axes import Axis, axes_of
from analysis.stored.ranking import ranking
from analysis.stored.replicates import averaged
from analysis.stored.run import Run, scored_epochs
from analysis.surrogate.features import Number, placed
from analysis.surrogate.landscape import Landscape, fit_landscape
from analysis.surrogate.observations import full_budget, read_trials
from tune_robust.errors import UserError, unknown
from tune_robust.formatting import count
from tune_robust.metrics import metric
from tune_robust.runs.naming import run_argument
from tune_robust.spaces.distributions import Plain

_FAVOURITES = ("sam.rho", "saner.alpha")
_KINDS = ("method", "sam.adaptive")
"""Choices that change the meaning of a number: a surface shows one option of each."""

Others = Literal["averaged", "winner"]
"""What a surface shows of the settings that are not on its axes."""

_CELLS = 41
_OTHERS = 16  # trials over whose other settings a surface is averaged
_NOTHING = np.empty(0)
_FEWEST = {1: 4, 2: 6}


class Surface(NamedTuple):
    """A metric over one or two dimensions, predicted at full budget.

    ``mean``, ``deviation``, ``doubt`` (0 is certain, 1 the prior) and the ends of the 90 %
    interval, ``low`` and ``high``, are arrays of shape (y, x), or (x,) if ``y`` is None; they are
    empty if ``problem`` says why there is no surface. ``observed`` has one row per trial on the
    surface: every column of ``trials``, and ``value``, the metric where the trial ended. ``kind``:
    the choices that all these trials share; ``budget``: the full budget in gradient evaluations.
    ``others``: whether the other searched settings are averaged over the trials on the surface, or
    those of the winner; None if there are none.
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
    others: Others | None = None

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
    run: Run,
    metric_name: str | None = None,
    x: str | None = None,
    y: str | None = None,
    others: Others = "averaged",
) -> Surface:
    """Predict a metric (default: the objective) over the dimensions ``x`` and ``y``.

    By default the dimensions are sam.rho and saner.alpha if they were searched, otherwise the two
    numeric ones with the most different values; a single dimension gives a curve. All surfaces of a
    metric come from one model over all searched dimensions (``landscape``). It is averaged over
    the other settings of the trials on the surface (partial dependence, Friedman 2001), or, with
    ``others="winner"``, evaluated at those of the best trial. The trials are of the best trial's
    kind (method), or that of the best one that has ``x`` and ``y``.

    Raises:
        UserError: The metric was not recorded, or a dimension was not searched or is not numeric.
    """
    run, metric_name = averaged(run), metric_name or run.objective.metric
    if metric_name not in run.epochs:
        raise UserError(unknown("metric", metric_name, run.epochs.columns.drop(["trial", "epoch"])))
    asked = tuple(path for path in (x, y) if path is not None and path in run.trials)
    trials, kind = of_one_kind(run, asked)
    dimensions = _chosen(run, trials, kind, x, y)
    return surface_of(run, metric_name, trials, kind, dimensions, others)


def surface_of(
    run: Run,
    metric_name: str,
    trials: pd.DataFrame,
    kind: dict[str, Plain],
    dimensions: list[Axis],
    others: Others = "averaged",
) -> Surface:
    """Return the surface of a metric over one or two dimensions, around some of the trials."""
    ends = scored_epochs(run.epochs, run.objective)[metric_name]
    observed = placed(trials, tuple(dimensions)).dropna(subset=[d.path for d in dimensions])
    observed = observed.assign(value=observed["trial"].map(ends))
    if len(observed):
        dimensions = [d.covering(observed[d.path].to_numpy(float)) for d in dimensions]
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
        budget=full_budget(observed),
        problem=None,
        others=others,
    )
    seen = observed[observed["trial"].isin(read_trials(run, metric_name)["trial"])]
    if problem := _problem(run, dimensions, seen, metric_name):
        return surface._replace(problem=problem)
    return _predicted(run, surface, dimensions, seen)


def _predicted(run: Run, surface: Surface, dimensions: list[Axis], seen: pd.DataFrame) -> Surface:
    land = fit_landscape(run, surface.metric)
    if land is None:  # its trials differ in nothing but what is not on the surface
        return surface._replace(problem="The trials do not differ in these settings.")
    numbers = [_common(land, dimension.path, seen) for dimension in dimensions]
    for shared in numbers:
        seen = seen[shared.applies(seen)] if shared is not None else seen
    if surface.others == "winner":
        rows = seen[seen["trial"].isin([_best(run, seen)])]
    else:
        rows = seen.iloc[np.linspace(0, len(seen) - 1, min(len(seen), _OTHERS)).astype(int)]
    cells = np.stack(np.meshgrid(*[np.linspace(0, 1, _CELLS)] * len(dimensions)), axis=-1)
    points = cells.reshape(-1, len(dimensions))
    groups = []
    for row in land.features(rows):
        group = np.tile(row, (len(points), 1))
        for shared, dimension, positions in zip(numbers, dimensions, points.T, strict=True):
            if shared is not None:
                values = dimension.from_unit(positions)
                group[:, land.column(shared)] = shared.axis.to_unit(values)
        groups.append(group)
    expected = land.at(*groups).reshape(cells.shape[:-1])
    held = len(land.dimensions) > sum(shared is not None for shared in numbers)
    return surface._replace(**expected._asdict(), others=surface.others if held else None)


def _common(land: Landscape, path: str, trials: pd.DataFrame) -> Number | None:
    """Return the alternative of a path that most of the trials have; None if it is constant."""
    numbers = [each for each in land.dimensions if isinstance(each, Number) and each.path == path]
    return max(numbers, key=lambda each: each.applies(trials).sum(), default=None)


def _best(run: Run, trials: pd.DataFrame) -> str:
    """Return the best finished trial of ``trials``, or the best of all if none finished."""
    done = trials[trials["status"] == "done"].dropna(subset=["objective"])
    scored = done if len(done) else trials
    order = scored["objective"].fillna(-np.inf * run.objective.sign) * run.objective.sign
    return scored["trial"].iloc[int(order.argmax())]


def of_one_kind(run: Run, asked: tuple[str, ...] = ()) -> tuple[pd.DataFrame, dict[str, Plain]]:
    """Return the trials of the same kind as the best trial on any axis, and that kind.

    ``asked``: paths that the kind must have, if any trial has all of them.
    """
    run = averaged(run)
    numeric = [dimension.path for dimension in run.dimensions if dimension.is_numeric]
    ranked = ranking(run).table.dropna(subset=numeric, how="all")
    having = ranked.dropna(subset=[*asked])
    ranked = having if len(having) else ranked
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


def _problem(run: Run, dimensions: list[Axis], seen: pd.DataFrame, name: str) -> str | None:
    """Return why no surface can be drawn, for the figure; None if it can."""
    if not dimensions:
        return "No number was searched, so there is no surface to draw."
    needed = _FEWEST[len(dimensions)]
    places = len(seen.drop_duplicates([dimension.path for dimension in dimensions]))
    if places < needed:
        drawn = "curve" if len(dimensions) == 1 else "surface"
        text = f"{count(places, 'setting')} with a score so far; a {drawn} needs {needed}."
        return f"{text} {more_trials(run, needed - places)}".rstrip()
    values = read_trials(run, name).merge(seen[["trial"]])["value"]
    if values.nunique() == 1:
        return f"Every trial has the same {metric(name).title}, {number(values.iloc[0])}."
    return None


def more_trials(run: Run, trials: int) -> str:
    """Return a sentence with the command that adds trials; none for a grid, which is complete."""
    if run.space.get("searcher", {}).get("name") == "grid":
        return ""
    return f"To add trials, run `tune-robust resume {run_argument(run.place)} --trials +{trials}`."
