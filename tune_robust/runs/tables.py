"""``trials.parquet`` and ``epochs.parquet``: a run as tables, readable at any time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tune_robust.errors import UserError
from tune_robust.files import open_regular, write_aside
from tune_robust.metrics import METRICS
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.trial import Trial
from tune_robust.spaces.objective import Objective

if TYPE_CHECKING:
    from tune_robust.runs.store import RunStore

EPOCHS_SCHEMA = pa.schema(
    [("trial", pa.string()), ("epoch", pa.int64()), *((name, pa.float64()) for name in METRICS)]
)


def epochs_table(trials: Mapping[str, Trial], history: Iterable[tuple[str, int]]) -> pa.Table:
    """Return one row per (trial, epoch), in the order of ``history``."""
    seen = list(history)
    rows = [trials[name].epochs[epoch] for name, epoch in seen]
    # By columns: several times as fast as by rows, of which a large run has a hundred thousand.
    columns = {name: [row.get(name) for row in rows] for name in METRICS}
    names, epochs = [name for name, _ in seen], [epoch for _, epoch in seen]
    table = pa.table({"trial": names, "epoch": epochs, **columns}, schema=EPOCHS_SCHEMA)
    for name in own_metrics(rows):
        table = table.append_column(name, _floats(row.get(name) for row in rows))
    return table


def own_metrics(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The metrics that a loop of the user's own has added, in the order of their first report."""
    return [
        name for name in dict.fromkeys(key for row in rows for key in row) if name not in METRICS
    ]


def trials_table(
    trials: Iterable[Trial], paths: Iterable[str], objective: Objective, folder: RunFolder
) -> pa.Table:
    """Return one row per trial, with a column per searched path, typed by its values."""
    trials, paths = list(trials), list(paths)
    columns: dict[str, Any] = {
        "trial": pa.array([t.name for t in trials], pa.string()),
        "origin": pa.array([t.origin for t in trials], pa.string()),
        "status": pa.array([t.status for t in trials], pa.string()),
        "sentinel": pa.array([t.sentinel for t in trials], pa.bool_()),
    }
    for path in paths:
        columns[path] = _value_column([trial.values.get(path) for trial in trials])
    columns["epoch"] = pa.array([t.epoch for t in trials], pa.int64())
    columns["objective"] = _floats(objective.value(t.epochs) for t in trials)
    columns[f"{objective.metric}_last"] = _floats(objective.last(t.epochs) for t in trials)
    columns[f"{objective.metric}_best"] = _floats(objective.best(t.epochs) for t in trials)
    for metric in (*METRICS, *own_metrics(t.last for t in trials)):
        if metric not in columns:
            columns[metric] = _floats(t.last.get(metric) for t in trials)
    columns["confirms"] = pa.array([t.confirms for t in trials], pa.string())
    columns["repeats"] = pa.array([t.repeats for t in trials], pa.string())
    columns["continues"] = pa.array(
        [json.dumps(t.continues._asdict()) if t.continues else None for t in trials], pa.string()
    )
    columns["seed"] = pa.array([t.config["seed"] for t in trials], pa.int64())
    columns["reliability"] = pa.array(
        [json.dumps(t.reliability) if t.reliability else None for t in trials], pa.string()
    )
    columns["error"] = pa.array([t.error for t in trials], pa.string())
    columns["checkpoint"] = pa.array([_checkpoint(folder, t) for t in trials], pa.string())
    columns["config"] = pa.array([json.dumps(t.config) for t in trials], pa.string())
    columns["values"] = pa.array([json.dumps(t.values) for t in trials], pa.string())
    return pa.table(columns)


def _value_column(values: list[Any]) -> pa.Array:
    """Convert numbers to float64 and anything else to text; lists and mappings to JSON."""
    present = [v for v in values if v is not None]
    if present and all(isinstance(v, int | float) and not isinstance(v, bool) for v in present):
        return _floats(values)
    return pa.array(
        [v if v is None or isinstance(v, str) else json.dumps(v) for v in values], pa.string()
    )


def _floats(values: Iterable[float | None]) -> pa.Array:
    return pa.array(list(values), pa.float64())


def _checkpoint(folder: RunFolder, trial: Trial) -> str | None:
    if not trial.epochs or not folder.has_checkpoint(trial.name):
        return None
    return f"checkpoints/{trial.name}/last.pt"


_RUN = b"tune-robust.run"
"""Metadata of a table: the id of its run."""


class Tables:
    """Rewrites both tables of a run, for at most a small fraction of the time."""

    _FRACTION = 0.02  # of the wall time spent rewriting

    def __init__(self, store: RunStore, paths: Iterable[str], objective: Objective):
        self._store, self._paths, self._objective = store, list(paths), objective
        self._run = store.folder.id
        self._not_before = 0.0

    def refresh(self) -> None:
        """Rewrite both tables, unless this was done very recently."""
        if time.monotonic() >= self._not_before:
            self.write()

    def write(self) -> None:
        """Rewrite both tables, each aside and then renamed."""
        began = time.monotonic()
        # The log must contain everything in the tables, also after a power failure.
        self._store.sync()
        folder, trials = self._store.folder, self._store.trials
        rows = trials_table(trials.values(), self._paths, self._objective, folder)
        _write(folder.trials, rows, self._run)
        _write(folder.epochs, epochs_table(trials, self._store.history), self._run)
        ended = time.monotonic()
        self._not_before = ended + max(1.0, (ended - began) / self._FRACTION)


def _write(path: Path, table: pa.Table, run: str | None) -> None:
    if run is not None:
        table = table.replace_schema_metadata({_RUN: run})
    buffer = BytesIO()
    pq.write_table(table, buffer, write_page_checksum=True)
    write_aside(path, buffer.getvalue())


def read_table(path: Path, columns: list[str] | None = None, *, run: str | None = None) -> pa.Table:
    """Read a table, or some of its columns.

    Args:
        path: the file.
        columns: their names; None reads all.
        run: the id of the run that it must belong to. Tables of earlier versions do not name
            theirs.

    Raises:
        UserError: it is damaged, or belongs to another run.
        OSError: it cannot be read.
    """
    # Opened once: by its path, pyarrow opens it twice, and a search may replace it in between.
    with open_regular(path) as opened:
        content = opened.read()
    try:
        # In this thread alone: a thread of pyarrow's that still holds a Python object when the
        # interpreter exits aborts the process (apache/arrow issue 34314).
        file = pq.ParquetFile(
            pa.BufferReader(content), page_checksum_verification=True, pre_buffer=False
        )
        table = file.read(columns=columns, use_threads=False)
        found = (table.schema.metadata or {}).get(_RUN, b"").decode()
        if run and found and found != run:
            raise ValueError("it belongs to another run")
        return table
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(
            f"{path} is damaged ({error}). Write a new one from the event log with:\n"
            f"  tune-robust resume {path.parent}"
        ) from error
