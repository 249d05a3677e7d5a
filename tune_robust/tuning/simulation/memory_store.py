"""A store that keeps a search in memory and writes no files."""

from __future__ import annotations

from typing import Any

from tune_robust.runs.record import Record
from tune_robust.runs.trial import Trial
from tune_robust.runs.trial_store import TrialStore
from tune_robust.spaces.space import Space


class MemoryStore(TrialStore):
    """Records a search in memory, from its first trial on."""

    journal = None

    def __init__(self) -> None:
        self._record = Record()
        self._meta: dict[str, Any] = {}

    @property
    def meta(self) -> dict[str, Any]:
        """The fields set by ``update_meta``."""
        return self._meta

    def update_meta(self, **facts: Any) -> None:
        """Set these fields of ``meta``."""
        self._meta.update(facts)

    def upkeep(self, space: Space) -> NoUpkeep:
        """Return an upkeep that does nothing, since there are no tables and no checkpoints."""
        return NoUpkeep()

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def _copy_checkpoint(self, trial: str, to: str) -> None:
        """Do nothing: there are no checkpoints."""

    def _append(self, event: str, trial: str, **fields: Any) -> None:
        self._record.take({"event": event, "trial": trial, **fields})


class NoUpkeep:
    """The upkeep of a store from which nothing is derived."""

    def refresh(self) -> None:
        """Nothing."""

    def write(self) -> None:
        """Nothing."""

    def ended(self, trial: Trial) -> None:
        """Nothing."""
