"""A store that keeps a search in memory, and writes nothing."""

from __future__ import annotations

from typing import Any

from tune_robust.runs.record import Record
from tune_robust.runs.trial import Trial
from tune_robust.runs.trial_store import TrialStore
from tune_robust.spaces.space import Space


class MemoryStore(TrialStore):
    """Empty at first; gone with the process."""

    journal = None

    def __init__(self) -> None:
        self._record = Record()
        self._meta: dict[str, Any] = {}

    @property
    def meta(self) -> dict[str, Any]:
        """What ``update_meta`` has set."""
        return self._meta

    def update_meta(self, **facts: Any) -> None:
        """Set these fields of ``meta``."""
        self._meta.update(facts)

    def upkeep(self, space: Space) -> NoUpkeep:
        """Nothing: there are no tables and no checkpoints."""
        return NoUpkeep()

    def close(self) -> None:
        """Nothing to release."""

    def _append(self, event: str, trial: str, **fields: Any) -> None:
        self._record.take({"event": event, "trial": trial, **fields})


class NoUpkeep:
    """Of a store from which nothing is derived."""

    def refresh(self) -> None:
        """Nothing."""

    def write(self) -> None:
        """Nothing."""

    def ended(self, trial: Trial) -> None:
        """Nothing."""
