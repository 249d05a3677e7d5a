"""Keep the tables of a run up to date, and delete checkpoints that are not needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tune_robust.runs.retention import Retention
from tune_robust.runs.tables import Tables
from tune_robust.runs.trial import ENDED, Trial
from tune_robust.spaces.objective import objective_of
from tune_robust.spaces.space import Space

if TYPE_CHECKING:
    from tune_robust.runs.store import RunStore


class RunUpkeep:
    """The tables and the checkpoints of the run in ``store``, a search of ``space``."""

    def __init__(self, store: RunStore, space: Space):
        paths = dict.fromkeys(dim.path for dim in space.dimensions)
        self._tables = Tables(store, paths, objective_of(space))
        ended = [trial for trial in store.trials.values() if trial.status in ENDED]
        self._retention = Retention(store.folder, space, ended)

    def refresh(self) -> None:
        """Rewrite the tables, unless this was done very recently."""
        self._tables.refresh()

    def write(self) -> None:
        """Rewrite the tables."""
        self._tables.write()

    def ended(self, trial: Trial) -> None:
        """Delete the checkpoints of trials that are no longer among the best."""
        self._retention.ended(trial)
