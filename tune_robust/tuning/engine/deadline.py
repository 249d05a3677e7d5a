"""The time that a search may take, over all the times it is resumed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from itertools import islice

from tune_robust.runs.trial import Trial

_LATEST = 20
"""The most trials from which the time of the next one is estimated: the latest ones."""


class Deadline:
    """Says whether a trial that starts now is expected to finish in time.

    Args:
        hours: the time of the whole search.
        used: the seconds that it has used before.
        clock: the seconds since some moment.
    """

    def __init__(self, hours: float, used: float, clock: Callable[[], float] = time.monotonic):
        self._limit, self._clock = 3600 * hours, clock
        self._began = clock() - used

    @property
    def used(self) -> float:
        """The seconds that the search has used so far."""
        return self._clock() - self._began

    def allows(self, trial: Trial | None, trials: Iterable[Trial]) -> bool:
        """Return whether there is time for ``trial`` to finish.

        Its epochs are expected to take as long as its own so far or, if it has none, as those of
        the median trial. While the time of an epoch is not known, a trial starts whenever any time
        is left.

        Args:
            trial: a trial that continues; None for a new one.
            trials: all trials so far, the latest first.
        """
        return self.used + self._rest(trial, trials) < self._limit

    def _rest(self, trial: Trial | None, trials: Iterable[Trial]) -> float:
        if trial is not None and (seconds := _per_epoch(trial)) is not None:
            return seconds * (trial.total_epochs - max(trial.epochs))
        timed = ((other, _per_epoch(other)) for other in trials)
        wholes = (each.total_epochs * s for each, s in timed if s is not None)
        return statistics.median([*islice(wholes, _LATEST)] or [0.0])


def _per_epoch(trial: Trial) -> float | None:
    """Return the seconds of an epoch of a trial, None if they are not recorded."""
    seconds = trial.last.get("seconds")
    return None if seconds is None else seconds / max(trial.epochs)
