"""Whether the event log has all that the run's tables have.

The tables are derived from the log, and the log is brought to disk before them: if they have more,
part of the log is gone, and to go on from the rest would lose what was trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.record import Record
from tune_robust.runs.tables import read_table
from tune_robust.runs.trial import ENDED


class LogIncomplete(UserError):
    """The event log has less than the tables; ``resume --rebuild-log`` makes it anew."""


class Ended(NamedTuple):
    """How far the table of trials has a trial."""

    epoch: int
    status: str


def read_ends(folder: RunFolder) -> dict[str, Ended]:
    """How far the table of trials has each; empty where there is none that can be read."""
    if not folder.trials.exists():
        return {}
    try:
        rows = read_table(folder.trials, ["trial", "epoch", "status"]).to_pylist()
        return {row["trial"]: Ended(row["epoch"], row["status"]) for row in rows}
    except (UserError, OSError, KeyError):
        return {}


def check_complete(folder: RunFolder, record: Record, ends: Mapping[str, Ended]) -> None:
    """See that ``record`` has what the table had, read before it.

    Raises:
        LogIncomplete: it has not; says what there is and how to go on.
    """
    short = [name for name, end in ends.items() if not _has(record, name, end)]
    if not short:
        return
    there = "is empty" if not record.trials else f"has {_trials(len(record.trials))}"
    there = there if folder.events.exists() else "is missing"
    epochs = sum(end.epoch for end in ends.values())
    raise LogIncomplete(
        f"{folder.events} {there}, but {folder.trials.name} has {_trials(len(ends))} with {epochs} "
        f"epochs. The log lacks {_named(short)}, wholly or in part, and to go on from the rest "
        "would lose what was trained. Restore the log from a copy, or write it anew from the "
        f"tables with:\n  tune-robust resume {folder.place} --rebuild-log"
    )


def _has(record: Record, name: str, end: Ended) -> bool:
    trial = record.trials.get(name)
    if trial is None:
        return False
    if name in record.restarted:
        return True
    ended = end.status not in ENDED or trial.status in ENDED
    return ended and max(trial.epochs, default=0) >= end.epoch


def _named(trials: Sequence[str]) -> str:
    others = len(trials) - 1
    return f"{trials[0]} and {others} other{'' if others == 1 else 's'}" if others else trials[0]


def _trials(count: int) -> str:
    return f"{count} trial{'' if count == 1 else 's'}"
