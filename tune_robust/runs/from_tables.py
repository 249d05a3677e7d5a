"""Read a run from its two tables: for recordings without a log, and to rebuild a log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.log import parse
from tune_robust.runs.record import Record
from tune_robust.runs.tables import read_table
from tune_robust.runs.trial import ENDED
from tune_robust.spaces.distributions import Choice, Distribution, Grid, Int, LogInt
from tune_robust.spaces.space import Space

_LEFT = ENDED | {"paused"}
"""The statuses that a trial keeps when its search is interrupted."""


def record_of_tables(folder: RunFolder) -> Record:
    """Return the record in the tables; trials that were running are interrupted.

    Raises:
        UserError: a table is missing or damaged.
    """
    record = Record()
    for event in events_of_tables(folder):
        record.take(event)
    for trial in record.trials.values():
        trial.status = trial.status if trial.status in _LEFT else "interrupted"
    return record


def events_of_tables(folder: RunFolder) -> Iterator[dict[str, Any]]:
    """Yield the events that correspond to the tables: trials, epochs in order, ends.

    Raises:
        UserError: a table is missing or not valid.
    """
    for table in (folder.trials, folder.epochs):
        if not table.exists():
            raise UserError(
                f"{folder.place} has no {folder.events.name}, and no {table.name} either: restore "
                f"the events, or both {folder.trials.name} and {folder.epochs.name}."
            )
    space = Space.from_document(folder.read_meta()["space"])
    rows = read_table(folder.trials, run=folder.id).to_pylist()
    epochs = read_table(folder.epochs, run=folder.id).to_pylist()
    try:
        for number, row in enumerate(rows):
            yield _checked(_declared(space, number, row))
        last: dict[str, int] = {}
        for row in epochs:
            event = _checked(_epoch(row))
            last[event["trial"]] = max(event["epoch"], last.get(event["trial"], 0))
            yield event
        for row in rows:
            if row["status"] in _LEFT:
                yield _checked(_ended(row, last.get(row["trial"], 0)))
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        raise UserError(
            f"{folder.place}: its tables are damaged, or not those of a run ({error!r}). "
            f"Restore them, or {folder.events.name}, from a copy."
        ) from error


def _checked(event: dict[str, Any]) -> dict[str, Any]:
    return parse(json.dumps(event).encode())


def _declared(space: Space, number: int, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "event": "trial",
        "trial": row["trial"],
        "origin": row["origin"],
        "values": _values(space, number, row),
        "config": json.loads(row["config"]),
        "sentinel": bool(row.get("sentinel")),
        "confirms": row.get("confirms"),
        "repeats": row.get("repeats"),
        "continues": json.loads(row.get("continues") or "null"),
    }


def _epoch(row: dict[str, Any]) -> dict[str, Any]:
    name, epoch = row.pop("trial"), row.pop("epoch")
    metrics = {metric: value for metric, value in row.items() if value is not None}
    return {"event": "epoch", "trial": name, "epoch": epoch, "metrics": metrics}


def _ended(row: dict[str, Any], epoch: int) -> dict[str, Any]:
    return {
        "event": "end",
        "trial": row["trial"],
        "status": row["status"],
        "error": row.get("error"),
        "epoch": epoch,
    }


def _values(space: Space, number: int, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row's values by path; earlier versions stored them only in columns."""
    if row.get("values") is not None:
        return json.loads(row["values"])
    if row["origin"] == "baseline":
        return dict(space.baselines[number]) if number < len(space.baselines) else {}
    values: dict[str, Any] = {}
    for dim in space.dimensions:
        if dim.active(values):
            values[dim.path] = _decoded(dim.distribution, row[dim.path])
    return values


def _decoded(distribution: Distribution, cell: float | str | None) -> Any:
    """Return the value of a cell, in which numbers are floats and other values are text."""
    match distribution:
        case Int() | LogInt() if cell is not None:
            return int(cell)
        case Choice(values=values) | Grid(values=values):
            return next(v for v in values if v == cell or json.dumps(v) == cell)
    return cell
