"""Check that the event log contains everything in the run's tables.

The tables are derived from the log, which is written to disk before them. If they contain more,
part of the log is missing, and continuing from the rest would lose training results.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tune_robust.errors import UserError
from tune_robust.formatting import count
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.record import Record
from tune_robust.runs.tables import read_table
from tune_robust.runs.trial import ENDED


class LogIncomplete(UserError):
    """The event log has less than the tables; ``resume --rebuild-log`` writes a new one."""


class Ended(NamedTuple):
    """The progress of a trial according to the table of trials."""

    epoch: int
    status: str


def read_ends(folder: RunFolder) -> dict[str, Ended] | None:
    """Read the progress of each trial in the table of trials.

    The result is empty before the first trial, and None if the search has begun but the table is
    missing or cannot be read.
    """
    if not folder.trials.exists():
        begun = folder.epochs.exists() or any(folder.path.glob("checkpoints/t*/last.pt"))
        return None if begun else {}
    try:
        table = read_table(folder.trials, ["trial", "epoch", "status"], run=folder.id)
        return {row["trial"]: Ended(row["epoch"], row["status"]) for row in table.to_pylist()}
    except (UserError, OSError, KeyError):
        return None


def check_complete(folder: RunFolder, record: Record, ends: Mapping[str, Ended] | None) -> None:
    """Check that ``record`` has everything in the table, which was read before it.

    Raises:
        LogIncomplete: it does not; the message says what is missing and how to continue.
    """
    if ends is None:
        if not record.trials:
            raise results_lost(folder)
        return
    short = [name for name, end in ends.items() if not _has(record, name, end)]
    if not short:
        return
    there = f"has {count(len(record.trials), 'trial')}" if record.trials else "is empty"
    there = there if folder.events.exists() else "is missing"
    epochs = sum(end.epoch for end in ends.values())
    raise LogIncomplete(
        f"{folder.events} {there}, but {folder.trials.name} has {count(len(ends), 'trial')} with "
        f"{count(epochs, 'epoch')}; {count(len(short), 'trial')}, beginning with {short[0]}, "
        f"{'is' if len(short) == 1 else 'are'} incomplete in the log. Continuing without them "
        "would lose their results. Restore the log from a copy, or write a new one from the tables "
        f"with:\n  tune-robust resume {folder.place} --rebuild-log"
    )


def results_lost(folder: RunFolder) -> LogIncomplete:
    """Return the error that neither the log nor the table of trials has any result."""
    log = "has no valid line" if folder.events.exists() else "is missing"
    table = "cannot be read" if folder.trials.exists() else "is missing"
    return LogIncomplete(
        f"{folder.events} {log} and {folder.trials.name} {table}, although the search has begun. "
        "Continuing without them would lose the results. Restore the log, or both tables, from a "
        "copy."
    )


def _has(record: Record, name: str, end: Ended) -> bool:
    trial = record.trials.get(name)
    if trial is None:
        return False
    if name in record.restarted:
        return True
    ended = end.status not in ENDED or trial.status in ENDED
    return ended and trial.epoch >= end.epoch
