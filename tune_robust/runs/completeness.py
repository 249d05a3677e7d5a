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


def read_ends(folder: RunFolder) -> dict[str, Ended]:
    """Read the progress of each trial in the table; empty if there is no readable table."""
    if not folder.trials.exists():
        return {}
    try:
        rows = read_table(folder.trials, ["trial", "epoch", "status"]).to_pylist()
        return {row["trial"]: Ended(row["epoch"], row["status"]) for row in rows}
    except (UserError, OSError, KeyError):
        return {}


def check_complete(folder: RunFolder, record: Record, ends: Mapping[str, Ended]) -> None:
    """Check that ``record`` has everything in the table, which was read before it.

    Raises:
        LogIncomplete: it does not; the message says what is missing and how to continue.
    """
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


def _has(record: Record, name: str, end: Ended) -> bool:
    trial = record.trials.get(name)
    if trial is None:
        return False
    if name in record.restarted:
        return True
    ended = end.status not in ENDED or trial.status in ENDED
    return ended and max(trial.epochs, default=0) >= end.epoch
