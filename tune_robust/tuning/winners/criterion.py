"""The metric that selects the winners of a search: how sure its choice is, or another one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tune_robust.errors import UserError, unknown
from tune_robust.formatting import count, short
from tune_robust.metrics import DIAGNOSTIC, OBJECTIVES, metric
from tune_robust.runs.trial import Trial
from tune_robust.spaces.objective import Objective, objective_of
from tune_robust.spaces.space import Space
from tune_robust.statistics import estimate
from tune_robust.tuning.winners.export import (
    best_of_each_label_set,
    mean_of,
    ranked,
    ranked_settings,
)


def selecting_by(space: Space, by: str | None) -> Space:
    """Return ``space`` with the metric ``by`` as its objective; without one, ``space`` itself.

    Raises:
        UserError: a search must not select by it, or there is no such metric.
    """
    if by is None or by == space.objective.metric:
        return space
    if space.objective.against:
        raise UserError(
            "--by: this search has several objectives, and its winners are their Pareto front."
        )
    if by in DIAGNOSTIC:
        raise UserError(
            f"--by: {by} needs the true labels or the test set, so it must not be used for "
            "selection. Choose val_accuracy or val_information."
        )
    if by not in OBJECTIVES and not space.has_loop:
        raise UserError(f"--by: {unknown('metric', by, OBJECTIVES)}")
    mode = OBJECTIVES.get(by, space.objective.mode)
    objective = space.objective.model_copy(update={"metric": by, "mode": mode})
    return space.model_copy(update={"objective": objective})


def check_recorded(trials: Iterable[Trial], space: Space) -> None:
    """See that the trials have the objective of ``space``.

    Raises:
        UserError: they have ended, but none of them recorded it.
    """
    objective = objective_of(space)
    ended = [trial for trial in trials if trial.epochs and trial.status in ("done", "stopped")]
    if ended and not any(objective.metric in trial.last for trial in ended):
        raise UserError(
            f"the trials of this run did not record {objective.metric}. Select by another metric "
            "with --by, such as --by val_accuracy."
        )


_UNDECIDED = (
    "All finished trials are statistically indistinguishable by {metric}, so it cannot help to "
    "select one. More validation images may decide. If their labels are noisy, the trials may "
    "share the same confusion, which only right labels show (data.validation.labels: clean)."
)


class Selection(NamedTuple):
    """The best trial by the objective, and the finished ones that are as good within the noise.

    ``error``: the standard error of ``value`` due to the number of validation images; None where
    it is not known. ``level``: the other trials at most two standard errors behind; ``undecided``:
    whether these are all the others, so that the metric tells no trials apart. If the trial's
    setting was trained with several ``seeds``, ``value`` is the mean over them and ``low`` to
    ``high`` its 95 % interval.
    """

    metric: str
    trial: str
    value: float
    error: float | None
    level: tuple[str, ...]
    seeds: int = 1
    low: float | None = None
    high: float | None = None
    undecided: bool = False

    def sentence(self) -> str:
        """Return the selection as text."""
        text = f"Best by {self.metric}: {self.trial} with {short(self.value)}"
        if self.low is not None and self.high is not None:
            interval = f"95 % interval {short(self.low)} to {short(self.high)}"
            text += f", the mean of {self.seeds} seeds ({interval})"
        if self.error is not None:
            text += f" (standard error {short(self.error)})"
        if self.level:
            others = count(len(self.level), "other trial")
            verb = "is" if len(self.level) == 1 else "are"
            text += f"; {others} {verb} within two standard errors of it"
        return f"{text}."

    def caution(self) -> str | None:
        """Return a text that says that the metric cannot help to select a trial, if it cannot."""
        return _UNDECIDED.format(metric=self.metric) if self.undecided else None


def selection(trials: Iterable[Trial], space: Space, images: int | None = None) -> Selection | None:
    """Return the selected trial of a search; None without a result, or without a single winner.

    Args:
        trials: those of the search.
        space: its space.
        images: the number of validation images, if it is known.
    """
    objective = objective_of(space)
    trials = [*trials]
    best = ranked(trials, objective)
    if not best or space.objective.against or len(best_of_each_label_set(best)) > 1:
        return None
    ended = [trial for trial in trials if trial.status == best[0].status]
    scored = [trial for trial in ended if objective.value(trial.epochs) is not None]
    settings = ranked_settings(scored, objective)
    same = settings[0]
    winner, value = same[0], mean_of(same, objective)
    error = None
    if "seed" not in winner.values:
        error = _standard_error(objective.scored(winner.epochs), objective, images)
    limit = value - objective.sign * 2 * (error or 0.0)
    level = [] if error is None else _level(settings[1:], objective, limit)
    seeds, low, high = _over_seeds(same, objective)
    undecided = 0 < len(level) == len(settings) - 1
    return Selection(
        objective.metric, winner.name, value, error, tuple(level), seeds, low, high, undecided
    )


def _over_seeds(
    same: Sequence[Trial], objective: Objective
) -> tuple[int, float | None, float | None]:
    """Return the number of seeds of a setting and the interval of its mean over them."""
    values = [objective.known_value(trial.epochs) for trial in same]
    found = estimate(values, metric(objective.metric).bounds)
    return (1, None, None) if found is None else (found.n, found.low, found.high)


def _level(settings: Iterable[Sequence[Trial]], objective: Objective, limit: float) -> list[str]:
    return [
        same[0].name for same in settings if not objective.better(limit, mean_of(same, objective))
    ]


def _standard_error(
    scored: Mapping[str, Any], objective: Objective, images: int | None
) -> float | None:
    stored = scored.get(f"{objective.metric}_error")
    if stored is not None:
        return stored
    about = metric(objective.metric)
    if not (about.is_fraction and about.images == "validation" and images):
        return None
    fraction = scored[objective.metric]
    return math.sqrt(fraction * (1 - fraction) / images)
