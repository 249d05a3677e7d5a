"""A stored run, the input of every figure and report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from analysis.stored.axes import Axis, axes_of
from tune_robust.errors import UserError, nearest
from tune_robust.metrics import metric
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_record
from tune_robust.runs.tables import epochs_table, read_table, trials_table
from tune_robust.spaces.objective import Objective

_TEXT = (
    "reliability",
    "trial",
    "origin",
    "status",
    "confirms",
    "repeats",
    "continues",
    "error",
    "checkpoint",
    "config",
    "values",
)
_REQUIRED = {
    "trials.parquet": ("trial", "origin", "status", "objective", "gradient_evaluations"),
    "epochs.parquet": ("trial", "epoch", "gradient_evaluations"),
}


@dataclass(frozen=True, eq=False)
class Run:
    """A stored run: its tables and its configuration.

    ``trials`` has one row per trial, ``epochs`` one per trial and epoch, both as stored. Metrics
    are floats, NaN if they do not apply; accuracies are fractions in [0, 1].
    """

    path: Path
    name: str
    meta: dict[str, Any]
    trials: pd.DataFrame
    epochs: pd.DataFrame
    objective: Objective
    dimensions: tuple[Axis, ...]
    place: str
    """The path of the run, or its URI on remote storage."""

    @property
    def space(self) -> dict[str, Any]:
        """Return the space as resolved when the run began."""
        return self.meta["space"]

    @property
    def searched(self) -> tuple[str, ...]:
        """Return the searched paths, each a column of ``trials``."""
        return tuple(dimension.path for dimension in self.dimensions)


def load_run(path: str | Path, place: str | None = None) -> Run:
    """Read the run stored in the folder ``path``.

    A run in which no epoch has ended yet has empty tables with the same columns.

    Args:
        path: The folder of the run, which may still be running.
        place: The location of the run (a URI) if ``path`` is a local copy of it.

    Raises:
        UserError: There is no such folder, it is not a run, it is damaged, or its format is that of
            another version.
    """
    path = Path(path).expanduser()
    meta = _read_meta(path)
    dimensions = axes_of(meta["space"].get("search") or {})
    objective = _objective(meta["space"]["objective"])
    searched = [dimension.path for dimension in dimensions]
    trials, epochs = _tables(RunFolder(path), searched, objective)
    for name in searched:
        if name not in trials:
            trials[name] = None
    return Run(
        path=path,
        name=meta.get("name", path.name),
        meta=meta,
        trials=trials,
        epochs=epochs,
        objective=objective,
        dimensions=dimensions,
        place=place or str(path),
    )


def scored_by(run: Run, name: str) -> Run:
    """Return the run with another metric as its objective, at the same epoch, last or best."""
    objective = Objective(name, metric(name).mode, run.objective.at)
    values = scored_epochs(run.epochs, objective)[name]
    trials = run.trials.assign(objective=run.trials["trial"].map(values))
    return replace(run, objective=objective, trials=trials)


def require_epochs(run: Run) -> None:
    """Check that the run has at least one epoch.

    Raises:
        UserError: No epoch of the run has ended yet.
    """
    if not run.epochs.empty:
        return
    errors = [] if run.trials.empty else [*run.trials["error"].dropna()]
    if errors and (run.trials["status"] == "failed").all():
        raise UserError(
            f"all {len(run.trials)} trials of the run {run.name!r} failed before their first epoch "
            f"ended, so there is nothing to show. The last error: {errors[-1].strip()} See "
            f"`tune-robust status {run.place}`."
        )
    raise UserError(
        f"the run {run.name!r} has no epochs yet: there is nothing to show. Watch it with "
        f"`tune-robust status {run.place}`, or continue it with "
        f"`tune-robust resume {run.place}`."
    )


def scored_epochs(epochs: pd.DataFrame, objective: Objective) -> pd.DataFrame:
    """Return one row per trial, indexed by it: the epoch that gives the trial's objective.

    That is the last epoch, or with ``at: best`` the best one. ``spent`` is the compute of the trial
    until its last epoch, in gradient evaluations.
    """
    ordered = epochs.sort_values(["trial", "epoch"], kind="stable")
    last = ordered.groupby("trial").tail(1).set_index("trial")
    scored = last
    if objective.at == "best":
        known = ordered.dropna(subset=[objective.metric])
        groups = known.groupby("trial")[objective.metric]
        rows = groups.idxmin() if objective.ascending else groups.idxmax()
        best = known.loc[rows].set_index("trial")
        scored = pd.concat([best, last.drop(best.index)]).reindex(last.index)
    return scored.assign(spent=last["gradient_evaluations"])


def _read_meta(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise UserError(f"there is no run at {path}.{_runs_beside(path)}")
    file = path / "run.json"
    if not file.is_file():
        raise UserError(
            f"{path} is not a run: it has no run.json. Give the folder that `tune-robust search` "
            f"wrote, by default runs/NAME.{_runs_beside(path)}"
        )
    meta = RunFolder(path).read_meta()
    try:
        _ = meta["space"]["objective"]["metric"]
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{file} is damaged ({error!r}). The run cannot be read without it: restore it from a "
            "copy."
        ) from error
    return meta


def _objective(given: dict[str, Any]) -> Objective:
    natural = metric(given["metric"]).mode
    return Objective(given["metric"], given.get("mode") or natural, given.get("at") or "last")


def _runs_beside(path: Path) -> str:
    """Return the runs in the same place, the most similar name first."""
    names = sorted(
        {p.parent.name for place in (path.parent, path) for p in place.glob("*/run.json")}
    )
    return f"{nearest(path.name, names)} Runs there: {', '.join(names)}." if names else ""


def _tables(
    folder: RunFolder, searched: list[str], objective: Objective
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the trials and the epochs from the event log, or from the tables if there is no log.

    A run that has only just begun has neither.
    """
    if folder.trials.exists() and not folder.events.exists():
        trials = read_table(folder.trials, run=folder.id)
        epochs = read_table(folder.epochs, run=folder.id)
    if folder.events.exists() or not folder.trials.exists() or _is_recording(trials):
        record = read_record(folder)
        trials = trials_table(record.trials.values(), searched, objective, folder)
        epochs = epochs_table(record.trials, record.history)
    return _frame(folder.trials, trials, keep=searched), _frame(folder.epochs, epochs)


def _is_recording(trials: pa.Table) -> bool:
    """Return whether the table has only the columns from which the others are derived."""
    names = set(trials.column_names)
    return "objective" not in names and {"status", "config"} <= names


def _frame(file: Path, table: pa.Table, keep: list[str] | tuple[str, ...] = ()) -> pd.DataFrame:
    """Return the table of ``file`` with float metrics; the columns in ``keep`` are unchanged."""
    missing = [name for name in _REQUIRED[file.name] if name not in table.column_names]
    if missing:
        raise UserError(
            f"{file} lacks the columns {', '.join(missing)}. "
            f"`tune-robust resume {file.parent}` writes a new one."
        )
    try:
        frame = table.to_pandas()
        others = [name for name in frame if name not in (*_TEXT, *keep)]
        # Most columns are floats already; converting all of them would take most of the time.
        floats = {name: "float64" for name in others if frame.dtypes[name] != "float64"}
        return frame.astype(floats).reset_index(drop=True)
    except (ValueError, TypeError, pa.ArrowException) as error:
        raise UserError(
            f"{file} is damaged ({error}). `tune-robust resume {file.parent}` writes a new one."
        ) from error
