"""All runs in a storage: their state, best score and owner.

Each run is summarised from its table of trials, which is at most a few minutes older than its event
log while a search is running, and a small fraction of its size.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

from tune_robust.errors import UserError
from tune_robust.files import is_uri
from tune_robust.runs.expected_gain import ExpectedGain, ends_search
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.progress import most_trials
from tune_robust.runs.tables import read_table
from tune_robust.runs.trial import ENDED
from tune_robust.spaces.objective import objective_of
from tune_robust.spaces.space import Space

_AT_ONCE = 16
"""The number of runs that are read at the same time: a remote storage takes long to answer."""


class RunSummary(NamedTuple):
    """A run in a storage.

    ``best`` is the best value of the objective ``metric`` among the trials that were not stopped
    early, or among all if there are no others; ``owner`` is the user and the machine that created
    the run. They are None if unknown. Of an ``unreadable`` run, only the ``problem`` is known.
    """

    name: str
    state: Literal["running", "finished", "interrupted", "unreadable"]
    ended: int | None = None
    total: int | None = None
    metric: str | None = None
    best: float | None = None
    owner: str | None = None
    created: str | None = None
    problem: str | None = None


def list_runs(storage: str) -> list[RunSummary]:
    """Return a summary of each run in a folder or at a URI, the newest first.

    Raises:
        UserError: the storage cannot be read.
    """
    with TemporaryDirectory() as copies, ThreadPoolExecutor(_AT_ONCE) as pool:
        names, open_run = _remote(storage, copies) if is_uri(storage) else _local(storage)
        found = [*pool.map(lambda name: _summary(name, open_run), names)]
    return sorted(found, key=lambda run: (run.created or "", run.name), reverse=True)


def _local(storage: str) -> tuple[list[str], Callable[[str], RunFolder]]:
    root = Path(storage).expanduser()
    names = [path.parent.name for path in root.glob("*/run.json")]
    return names, lambda name: RunFolder(root / name)


def _remote(storage: str, copies: str) -> tuple[list[str], Callable[[str], RunFolder]]:
    # Slow to import, and most runs are on this machine.
    from tune_robust.runs.remote.objects import Remote
    from tune_robust.runs.remote.run import RemoteRunFolder

    remote = Remote(storage)

    def fetch(name: str) -> RunFolder:
        folder = RemoteRunFolder(remote.child(name), Path(copies) / name)
        for path in (folder.meta, folder.trials):
            remote.fetch(f"{name}/{path.name}", path)
        return folder

    return remote.folders("run.json"), fetch


def _summary(name: str, open_run: Callable[[str], RunFolder]) -> RunSummary:
    try:
        folder = open_run(name)
        meta = folder.read_meta()
        space = Space.from_document(meta["space"])
        rows = _rows(folder)
        live = folder.is_live()
    except (UserError, OSError) as error:
        return RunSummary(name, "unreadable", problem=str(error))
    ended = sum(row["status"] in ENDED for row in rows)
    over = bool(meta.get("out_of_time")) or ends_search(ExpectedGain.of(meta))
    total = most_trials(space, len(rows), ended)
    finished = ended >= total or over
    return RunSummary(
        name=name,
        state="running" if live else "finished" if finished else "interrupted",
        ended=ended,
        total=total,
        metric=space.objective.metric,
        best=_best(space, rows),
        owner=meta.get("owner"),
        created=meta.get("created"),
    )


def _rows(folder: RunFolder) -> list[dict[str, Any]]:
    if not folder.trials.exists():
        return []
    return read_table(folder.trials, ["status", "objective"], run=folder.id).to_pylist()


def _best(space: Space, rows: list[dict[str, Any]]) -> float | None:
    """Return the best value as ``SearchProgress.best`` chooses the best trial."""
    dropped = ENDED - {"done"}
    scored = [row for row in rows if row["objective"] is not None]
    racing = [row for row in scored if row["status"] not in dropped]
    values = [row["objective"] for row in racing or scored]
    return min(values, key=objective_of(space).sort_key, default=None)
