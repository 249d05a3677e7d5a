"""What a search optimises, at which epoch it counts, and what compute it is weighed against."""

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
        """What to multiply values with so that larger is better: 1 or -1."""
        return sign_of(self.mode)

    @property
    def ascending(self) -> bool:
        """Whether values sorted in ascending order are best first."""
        return self.mode == "min"

    def last(self, epochs: Epochs) -> float | None:
        """The metric at the last epoch; None before the first, or where it was not finite."""
        return epochs[max(epochs)].get(self.metric) if epochs else None

    def best(self, epochs: Epochs) -> float | None:
        """The metric at its best epoch."""
        found = (metrics.get(self.metric) for metrics in epochs.values())
        values = [value for value in found if value is not None]
        return min(values, key=self.sort_key) if values else None

    def value(self, epochs: Epochs) -> float | None:
        """The value that ranks a trial."""
        return self.last(epochs) if self.at == "last" else self.best(epochs)

    def known_value(self, epochs: Epochs) -> float:
        """``value`` of a trial that must have one.

        Raises:
            ValueError: it has none.
        """
        value = self.value(epochs)
        if value is None:
            raise ValueError(f"no epoch has a finite {self.metric}")
        return value

    def scored(self, epochs: Epochs) -> Mapping[str, float | None]:
        """All the metrics at the epoch that ranks a trial; empty where nothing does."""
        ranks = self.value(epochs)
        if ranks is None:
            return {}
        return next(
            m
            for _, m in sorted(epochs.items(), reverse=self.at == "last")
            if m.get(self.metric) == ranks
        )

    def better(self, a: float, b: float) -> bool:
        """Whether ``a`` is strictly better than ``b``."""
        return self.gain(a, b) > 0

    def gain(self, value: Any, reference: Any) -> Any:
        """How much better ``value`` is than ``reference``, negative where it is worse: numbers,
        arrays or series.
        """
        return self.sign * (value - reference)

    def best_of(self, values: ArrayLike) -> float:
        """The best of the finite ``values``; NaN if there is none."""
        values = np.asarray(values, dtype=float)
        finite = values[np.isfinite(values)]
        return self.sign * float((self.sign * finite).max()) if finite.size else math.nan

    def best_so_far(self, values: ArrayLike) -> np.ndarray:
        """(n,): for each of ``values`` (n,) the best up to it; a NaN is passed over."""
        return self.sign * np.fmax.accumulate(self.sign * np.asarray(values, dtype=float))

    def sort_key(self, value: float | None) -> float:
        """Ascending order is best first; a missing value is worst."""
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
    """Whether a trial has come to its end: its last epoch or, where that ends it, its cost.

    ``cost``: what it has spent up to ``epoch``, in the budget's unit.
    """
    used_up = space.ends_by_cost and cost >= space.max_resource
    return used_up or epoch >= total_epochs


def step_of(unit: Unit, epoch: int, metrics: Mapping[str, float | None]) -> int:
    """The same as one of Optuna's steps, which are whole numbers: seconds in milliseconds."""
    cost = spent(unit, epoch, metrics)
    return round(1000 * cost if unit == "seconds" else cost)


def objective_of(space: Space) -> Objective:
    """What the space optimises."""
    return Objective(space.objective.metric, space.objective.mode, space.objective.at)
