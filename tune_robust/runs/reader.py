"""Read a run from another process, from its log or, without a log, from its tables."""

from __future__ import annotations

from tune_robust.runs.completeness import check_complete, read_ends
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.from_tables import record_of_tables
from tune_robust.runs.log import EventLog
from tune_robust.runs.record import Record, take_new
from tune_robust.runs.trial import Trial


class RunReader:
    """Reads a run from another process, according to its events so far."""

    def __init__(self, folder: RunFolder):
        self._folder = folder
        self._log = EventLog(folder.events, folder.id)
        self.record = Record()

    def read(self) -> bool:
        """Bring ``record`` up to date, and return whether the run is live.

        Trials of a process that has died count as interrupted.

        Raises:
            LogDamaged: a line was changed.
        """
        live = self._folder.is_live()
        self._folder.refresh_log()
        take_new(self._log, self.record)
        if not live:
            self.record.interrupt()
        return live


def read_record(folder: RunFolder) -> Record:
    """Read everything recorded; trials of a process that has died count as interrupted.

    Raises:
        LogDamaged: a line of the log was changed.
        LogIncomplete: the log has less than the run's tables.
    """
    # Read before the log, which contained everything in the tables when they were written.
    ends = read_ends(folder)
    if folder.trials.exists() and not folder.events.exists():
        return record_of_tables(folder)
    reader = RunReader(folder)
    reader.read()
    check_complete(folder, reader.record, ends)
    return reader.record


def read_trials(folder: RunFolder) -> dict[str, Trial]:
    """Return the trials of ``read_record``."""
    return read_record(folder).trials
