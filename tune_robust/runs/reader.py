"""A run from outside: what its log, or without one its tables, say of it."""

from __future__ import annotations

from tune_robust.runs.completeness import check_complete, read_ends
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.from_tables import record_of_tables
from tune_robust.runs.log import EventLog, seed_of
from tune_robust.runs.record import Record, take_new
from tune_robust.runs.trial import Trial


class RunReader:
    """A run from outside, as its events tell it so far."""

    def __init__(self, folder: RunFolder):
        self._folder = folder
        self._log = EventLog(folder.events, seed_of(folder.id))
        self.record = Record()

    def read(self) -> bool:
        """Bring ``record`` up to date; whether the run is live.

        Trials left running by a dead process are interrupted.

        Raises:
            LogDamaged: a line is not what was written there.
        """
        live = self._folder.is_live()
        take_new(self._log, self.record)
        if not live:
            self.record.interrupt()
        return live


def read_record(folder: RunFolder) -> Record:
    """All that was recorded. Trials left running by a dead process: interrupted.

    Raises:
        LogDamaged: a line of the log is not what was written there.
        LogIncomplete: the log has less than the run's tables.
    """
    # Before the log: what is in the tables was in the log already.
    ends = read_ends(folder)
    if folder.trials.exists() and not folder.events.exists():
        return record_of_tables(folder)
    reader = RunReader(folder)
    reader.read()
    check_complete(folder, reader.record, ends)
    return reader.record


def read_trials(folder: RunFolder) -> dict[str, Trial]:
    """The trials of ``read_record``."""
    return read_record(folder).trials
