"""The time that a search may take, over all the times it is resumed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Literal, NamedTuple

from tune_robust.runs.trial import Trial
from tune_robust.spaces.sections import Budget

Limit = Literal["hours", "gpu_hours"]
"""A setting of the budget that limits the time of a search."""

_LATEST = 20
"""The most trials from which the time of the next one is estimated: the latest ones."""


class _Held(NamedTuple):
    """A running trial, when it started, and its fraction of a GPU."""

    trial: Trial
    since: float
    gpus: float


class TimeLimits:
    """Says whether a trial that starts now is expected to finish in the time of the search.

    ``hours`` is the time of the search; ``gpu_hours`` is that during which the trials hold their
    fractions of GPUs, summed over the trials: four trials that share a GPU for an hour take one.

    Args:
        budget: its ``hours`` and ``gpu_hours``; None is no limit.
        meta: that of the run, with the time that it has used before.
        clock: the seconds since some moment.
    """

    def __init__(
        self,
        budget: Budget,
        meta: Mapping[str, Any],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._budget, self._clock = budget, clock
        self._began = clock() - (meta.get("seconds_used") or 0.0)
        self._gpu_seconds = meta.get("gpu_seconds_used") or 0.0
        self._running: dict[str, _Held] = {}

    @property
    def any(self) -> bool:
        """Whether there is a limit."""
        return self._budget.hours is not None or self._budget.gpu_hours is not None

    @property
    def used(self) -> dict[str, float]:
        """The seconds and the GPU-seconds that the search has used so far, for run.json."""
        now = self._clock()
        held = sum(each.gpus * (now - each.since) for each in self._running.values())
        return {
            "seconds_used": round(now - self._began, 3),
            "gpu_seconds_used": round(self._gpu_seconds + held, 3),
        }

    def started(self, trial: Trial, gpus: float) -> None:
        """Begin to count the time of a trial that holds this fraction of a GPU."""
        self._running[trial.name] = _Held(trial, self._clock(), gpus)

    def ended(self, name: str) -> None:
        """Count the time of a trial that no longer runs."""
        if (held := self._running.pop(name, None)) is not None:
            self._gpu_seconds += held.gpus * (self._clock() - held.since)

    def exceeded(
        self, trial: Trial | None, trials: Iterable[Trial], *, gpus: float
    ) -> Limit | None:
        """Return the limit that ``trial`` is expected to exceed, None if it can finish.

        Its epochs are expected to take as long as its own so far or, if it has none, as those of
        the median trial. While the time of an epoch is not known, a trial starts whenever any time
        is left. The running trials are expected to run to their end.

        Args:
            trial: a trial that continues; None for a new one.
            trials: all trials so far, the latest first.
            gpus: the fraction of a GPU that it holds.
        """
        if not self.any:
            return None
        typical = _typical(trials)
        rest, used = _rest(trial, typical), self.used
        if self._over("hours", used["seconds_used"] + rest):
            return "hours"
        others = sum(held.gpus * _rest(held.trial, typical) for held in self._running.values())
        over = self._over("gpu_hours", used["gpu_seconds_used"] + others + gpus * rest)
        return "gpu_hours" if over else None

    def _over(self, limit: Limit, seconds: float) -> bool:
        hours = getattr(self._budget, limit)
        return hours is not None and seconds >= 3600 * hours


def _typical(trials: Iterable[Trial]) -> float:
    """Return the seconds of a complete trial, the median over the latest ones; 0 if unknown."""
    timed = ((trial, _per_epoch(trial)) for trial in trials)
    wholes = (trial.total_epochs * s for trial, s in timed if s is not None)
    return statistics.median([*islice(wholes, _LATEST)] or [0.0])


def _rest(trial: Trial | None, typical: float) -> float:
    if trial is not None and (seconds := _per_epoch(trial)) is not None:
        return seconds * (trial.total_epochs - max(trial.epochs))
    return typical


def _per_epoch(trial: Trial) -> float | None:
    """Return the seconds of an epoch of a trial, None if they are not recorded."""
    seconds = trial.last.get("seconds")
    return None if seconds is None else seconds / max(trial.epochs)
