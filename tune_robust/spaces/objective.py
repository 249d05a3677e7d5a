"""The objective of a search: its metric, the epoch that counts, and the unit of compute."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from tune_robust.errors import UserError
from tune_robust.metrics import Mode, sign_of

if TYPE_CHECKING:
    from tune_robust.spaces.space import Space

Unit = Literal["gradient_evaluations", "epochs", "seconds"]
Epochs = Mapping[int, Mapping[str, float | None]]


@dataclass(frozen=True)
class Objective:
    """The metric to optimise; ``at`` says whether the last or the best epoch ranks a trial."""

    metric: str
    mode: Mode
    at: Literal["last", "best"]

    @property
    def sign(self) -> int:
        """The factor by which larger values become better: 1 or -1."""
        return sign_of(self.mode)

    @property
    def ascending(self) -> bool:
        """Whether values sorted in ascending order are best first."""
        return self.mode == "min"

    def last(self, epochs: Epochs) -> float | None:
        """Return the metric at the last epoch; None before the first or if it is not finite."""
        return epochs[max(epochs)].get(self.metric) if epochs else None

    def best(self, epochs: Epochs) -> float | None:
        """Return the metric at its best epoch."""
        found = (metrics.get(self.metric) for metrics in epochs.values())
        values = [value for value in found if value is not None]
        return min(values, key=self.sort_key) if values else None

    def value(self, epochs: Epochs) -> float | None:
        """Return the value that ranks a trial."""
        return self.last(epochs) if self.at == "last" else self.best(epochs)

    def known_value(self, epochs: Epochs) -> float:
        """Return the ``value`` of a trial that must have one.

        Raises:
            ValueError: the trial has no value.
        """
        value = self.value(epochs)
        if value is None:
            raise ValueError(f"no epoch has a finite {self.metric}")
        return value

    def scored(self, epochs: Epochs) -> Mapping[str, float | None]:
        """Return all metrics at the epoch that ranks a trial; empty if there is none."""
        ranks = self.value(epochs)
        if ranks is None:
            return {}
        return next(
            m
            for _, m in sorted(epochs.items(), reverse=self.at == "last")
            if m.get(self.metric) == ranks
        )

    def better(self, a: float, b: float) -> bool:
        """Return whether ``a`` is strictly better than ``b``."""
        return self.gain(a, b) > 0

    def gain(self, value: Any, reference: Any) -> Any:
        """Return how much better ``value`` is than ``reference``; negative if it is worse.

        Both are numbers, arrays or series.
        """
        return self.sign * (value - reference)

    def best_of(self, values: ArrayLike) -> float:
        """Return the best of the finite ``values``; NaN if there is none."""
        values = np.asarray(values, dtype=float)
        finite = values[np.isfinite(values)]
        return self.sign * float((self.sign * finite).max()) if finite.size else math.nan

    def best_so_far(self, values: ArrayLike) -> np.ndarray:
        """Return the best value up to each of ``values`` (n,); NaNs are ignored."""
        return self.sign * np.fmax.accumulate(self.sign * np.asarray(values, dtype=float))

    def sort_key(self, value: float | None) -> float:
        """Return a sort key: ascending order is best first, and a missing value is worst."""
        if value is None or math.isnan(value):
            return math.inf
        return -self.sign * value


def spent(unit: Unit, epoch: int, metrics: Mapping[str, float | None]) -> float:
    """Return the cost of a trial up to ``epoch``, in the unit of the budget.

    Raises:
        UserError: it was recorded without, or the record was changed.
    """
    cost = epoch if unit == "epochs" else metrics.get(unit)
    if cost is None:
        raise UserError(
            f"epoch {epoch} of a trial is recorded without {unit!r}, in which the budget is "
            "counted. The run's records were changed: restore them from a copy."
        )
    return cost


def is_finished(space: Space, epoch: int, total_epochs: int, cost: float) -> bool:
    """Return whether a trial is complete: by its last epoch or, where that ends it, by its cost.

    ``cost``: the compute used up to ``epoch``, in the budget's unit.
    """
    used_up = space.ends_by_cost and cost >= space.max_resource
    return used_up or epoch >= total_epochs


def step_of(unit: Unit, epoch: int, metrics: Mapping[str, float | None]) -> int:
    """Return the same as an integer, which Optuna requires for steps: seconds in milliseconds."""
    cost = spent(unit, epoch, metrics)
    return round(1000 * cost if unit == "seconds" else cost)


def objective_of(space: Space) -> Objective:
    """Return the objective of a space."""
    return Objective(space.objective.metric, space.objective.mode, space.objective.at)
