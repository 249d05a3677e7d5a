"""What a search optimises, at which epoch it counts, and what compute it is weighed against."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tune_robust.spaces.space import Space

Unit = Literal["gradient_evaluations", "epochs", "seconds"]
Epochs = Mapping[int, Mapping[str, float | None]]


@dataclass(frozen=True)
class Objective:
    """``at: last`` ranks by the last epoch, ``best`` by the best epoch of the objective itself."""

    metric: str
    mode: Literal["max", "min"]
    at: Literal["last", "best"]

    def last(self, epochs: Epochs) -> float | None:
        """The metric at the last epoch; None before the first, or where it was not finite."""
        return epochs[max(epochs)].get(self.metric) if epochs else None

    def best(self, epochs: Epochs) -> float | None:
        """The metric at its best epoch."""
        found = (metrics.get(self.metric) for metrics in epochs.values())
        values = [value for value in found if value is not None]
        if not values:
            return None
        return max(values) if self.mode == "max" else min(values)

    def value(self, epochs: Epochs) -> float | None:
        """The value that ranks a trial."""
        return self.last(epochs) if self.at == "last" else self.best(epochs)

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
        return a > b if self.mode == "max" else a < b

    def sort_key(self, value: float | None) -> float:
        """Ascending order is best first; a missing value is worst."""
        if value is None or math.isnan(value):
            return math.inf
        return -value if self.mode == "max" else value


def spent(unit: Unit, epoch: int, metrics: Mapping[str, float | None]) -> float:
    """What a trial has cost up to ``epoch``, in the budget's unit."""
    cost = epoch if unit == "epochs" else metrics[unit]
    if cost is None:
        raise ValueError(f"epoch {epoch} has no {unit}, which every epoch must have")
    return cost


def is_finished(space: Space, epoch: int, total_epochs: int, cost: float) -> bool:
    """Whether a trial has come to its end: its last epoch or, of a budget in seconds, its time.

    ``cost``: what it has spent up to ``epoch``, in the budget's unit.
    """
    used_up = space.budget.unit == "seconds" and cost >= space.max_resource
    return used_up or epoch >= total_epochs


def step_of(unit: Unit, epoch: int, metrics: Mapping[str, float | None]) -> int:
    """The same as one of Optuna's steps, which are whole numbers: seconds in milliseconds."""
    cost = spent(unit, epoch, metrics)
    return round(1000 * cost if unit == "seconds" else cost)


def objective_of(space: Space) -> Objective:
    """What the space optimises."""
    return Objective(space.objective.metric, space.objective.mode, space.objective.at)
