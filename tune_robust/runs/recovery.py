"""Recover a damaged event log from its valid lines and from the tables.

What neither contains is lost, and reported: a trial with missing epochs is trained again, and a
trial that neither declares is dropped, with those proposed after it. The damaged log is kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tune_robust.errors import UserError
from tune_robust.files import link_aside, open_regular, write_aside
from tune_robust.runs.completeness import read_ends, results_lost
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.from_tables import events_of_tables
from tune_robust.runs.log import mark_of, parse, sealed, seed_of, split
from tune_robust.runs.record import Record
from tune_robust.runs.trial import ENDED, name_of

_CANDIDATES = 8
"""The number of checksums that a line after damaged lines may follow; each of these gives two."""


def recover_log(folder: RunFolder) -> list[str]:
    """Write a new log of a run, which no other process may have open; return what was lost.

    Raises:
        UserError: there is neither a log with a valid line nor a table.
    """
    run_id = folder.id
    whole, told = _whole_lines(folder.events, run_id)
    try:
        known = [*events_of_tables(folder)]
    except UserError:
        if not whole:
            raise
        known = []
    merged = _Merged(known)
    for number, event in whole:
        if (why := merged.take(event)) is not None:
            told.append(f"line {number} was left out: {why}")
    told += merged.finish()
    if not merged.events and read_ends(folder) is None:
        raise results_lost(folder)
    if folder.events.exists():
        kept = _free_name(folder.events.with_name(f"{folder.events.name}.damaged"))
        link_aside(folder.events, kept)
        told.append(f"the damaged log is kept as {kept.name}")
    write_aside(folder.events, _text(merged.events, run_id))
    return told


def _whole_lines(
    path: Path, run_id: str | None
) -> tuple[list[tuple[int, dict[str, Any]]], list[str]]:
    """Return the valid lines (from 1) of this run, and a sentence on each other line.

    A chain of checksums that does not begin with the run's id may be another run's: its lines have
    to name the run. Lines of an earlier version do not; they are of this run if none before them in
    the chain is missing from its beginning on.
    """
    whole: list[tuple[int, dict[str, Any]]] = []
    told: list[str] = []
    own, named = True, mark_of(run_id).get("run")
    for number, (event, why) in enumerate(_checked_lines(path, run_id), 1):
        if event is None:
            own = own and number > 1
            told.append(f"line {number} was left out: {why}")
        elif event.get("run", named) != named or ("run" not in event and not own):
            told.append(f"line {number} was left out: it may belong to another run")
        else:
            whole.append((number, event))
    return whole, told


def _checked_lines(path: Path, run_id: str | None) -> Iterator[tuple[dict[str, Any] | None, str]]:
    """Yield each line's event, or None and the reason.

    The line after a damaged one may follow the checksum written there, the checksum of its content
    or, if it was inserted, that of the line before it.
    """
    if not path.exists():
        return
    before, is_sealed = [seed_of(run_id)], run_id is not None
    with open_regular(path) as file:
        for line in file:
            content, checksum = split(line)
            computed = [zlib.crc32(content, start) for start in before]
            if (checksum is None and is_sealed) or (
                checksum is not None and checksum not in computed
            ):
                stated = [] if checksum is None else [checksum]
                # Also a wrong one tells that the lines of this log have checksums.
                is_sealed = is_sealed or checksum is not None
                before = [*stated, *before, *computed][:_CANDIDATES]
                yield None, "it was changed"
                continue
            after = computed if checksum is None else [checksum]
            try:
                event = parse(line)
            except ValueError as error:
                before = [*after, *before][:_CANDIDATES]
                yield None, str(error)
                continue
            before, is_sealed = after, checksum is not None
            yield event, ""


class _Merged:
    """Events in order, with missing ones taken from ``known``, the events of the tables."""

    def __init__(self, known: Iterable[dict[str, Any]]):
        self.events: list[dict[str, Any]] = []
        self._record = Record()
        self._declared: dict[str, dict[str, Any]] = {}
        self._epochs: dict[str, dict[int, dict[str, Any]]] = {}
        self._ends: dict[str, dict[str, Any]] = {}
        self._history: list[dict[str, Any]] = []
        for event in known:
            self._learn(event)
        self._told: list[str] = []

    def take(self, event: dict[str, Any]) -> str | None:
        """Add a valid event after what it needs; return the reason if that is not possible."""
        name = event["trial"]
        if event["event"] == "trial":
            if name in self._record.trials:
                return f"{name} was declared before"
            self._declare_until(lambda: name_of(len(self._record.trials)) == name)
        else:
            self._declare_until(lambda: name in self._record.trials)
        if event["event"] == "epoch":
            self._fill(name, event["epoch"] - 1)
        if event["event"] == "end" and event["status"] in ENDED:
            self._fill(name, event.get("epoch", 0))
        return self._add(event)

    def finish(self) -> list[str]:
        """Add what only the tables have, restart trials with gaps, and return what was done."""
        self._declare_until(lambda: False)
        for event in self._history:
            self._fill(event["trial"], event["epoch"])
        for name, trial in self._record.trials.items():
            epochs = sorted(trial.epochs)
            if name in self._ends and trial.status not in ENDED:
                self._add(self._ends[name])
            first = 1 if trial.inherited is None else trial.begins_after + 1
            if epochs != [*range(first, first + len(epochs))]:
                self._add({"event": "retry", "trial": name})
                self._told.append(f"{name} lacks epochs and will be trained again")
        return self._told

    def _learn(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "trial":
                self._declared[event["trial"]] = event
            case "epoch":
                self._epochs.setdefault(event["trial"], {})[event["epoch"]] = event
                self._history.append(event)
            case "end":
                self._ends[event["trial"]] = event

    def _declare_until(self, enough: Callable[[], bool]) -> None:
        """Declare further trials from the tables, as long as they have the next one."""
        while not enough():
            missing = self._declared.get(name_of(len(self._record.trials)))
            if missing is None:
                return
            self._add(missing)
            self._told.append(f"{missing['trial']} was restored from the tables")

    def _fill(self, name: str, until: int) -> None:
        """Add a trial's missing epochs up to ``until``, in order, from the tables."""
        trial, known = self._record.trials.get(name), self._epochs.get(name, {})
        if trial is None or name in self._record.restarted:
            return
        for epoch in range(1, min(until, trial.total_epochs) + 1):
            if epoch not in trial.epochs and epoch in known:
                self._add(known[epoch])
                self._told.append(f"epoch {epoch} of {name} was restored from the tables")

    def _add(self, event: dict[str, Any]) -> str | None:
        try:
            self._record.take(event)
        except ValueError as error:
            return str(error)
        self.events.append(event)
        return None


def _text(events: Iterable[dict[str, Any]], run_id: str | None) -> bytes:
    lines, checksum = [], seed_of(run_id)
    for event in events:
        event.pop("crc", None)
        line, checksum = sealed(event | mark_of(run_id), checksum)
        lines.append(line)
    return b"".join(lines)


def _free_name(path: Path) -> Path:
    """Return ``path``, or a free name with a number."""
    names = (path, *(path.with_name(f"{path.name}-{n}") for n in range(2, 1000)))
    return next(name for name in names if not name.exists())
