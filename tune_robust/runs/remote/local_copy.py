"""A run's folder on this machine, and the files that go between it and a remote file system."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from tune_robust.runs.remote.lease import LEASE
from tune_robust.runs.remote.objects import Remote
from tune_robust.runs.remote.segments import EVENTS, RemoteLog, log_of

RUN = "run.json"
_LOCAL = {"checkpoints", "predictions", "ray", "run.lock", "study.journal", "wandb", LEASE}
_TABLES_FRACTION = 0.05
"""The traffic of the tables, which are uploaded whole, as a fraction of that of the log."""
_TABLES_FREE = 2**20
"""Bytes of the tables that are uploaded in addition, so that those of small runs are up to date."""
_TENSORBOARD = "tensorboard"
"""The folder of logs that only grow, one for each trial."""


class LocalCopy:
    """The local ``folder`` of the run at ``remote``."""

    def __init__(self, folder: Path, remote: Remote):
        self.folder, self.remote = folder, remote
        self._log = RemoteLog(folder, remote)
        self._equal: dict[Path, tuple[int, int]] = {}  # with their times of change and sizes
        self._tables_allowed = float(_TABLES_FREE)

    def upload_files(self, *, closing: bool = False) -> None:
        """Upload the files that have changed, without the log and the tables.

        The logs of TensorBoard are uploaded whole: whenever one has doubled, and when ``closing``.

        Raises:
            UserError: the remote file system cannot be written.
            OSError: a file cannot be read.
        """
        for path in sorted(self._files(), key=lambda path: (path.name != RUN, path)):
            with path.open("rb") as file:
                if closing or not self._has_half(path, file):
                    self._send(path, file)

    def upload_run(self, *, closing: bool = False) -> None:
        """Upload what has changed, as the holder of the run's lease.

        If it is killed, the remote tables never hold more than the remote log. They are uploaded
        less often than the log in a large run, and in any case when ``closing``.

        Raises:
            UserError: the remote file system cannot be written.
            OSError: a file cannot be read.
        """
        with ExitStack() as opened:
            # The search may replace a table at any moment. An opened one stays as it was before
            # the log is read.
            paths = self.folder.glob("*.parquet")
            tables = {path: opened.enter_context(path.open("rb")) for path in sorted(paths)}
            self.upload_files(closing=closing)
            self._tables_allowed += _TABLES_FRACTION * self._log.upload()
            for path, file in tables.items():
                size = os.fstat(file.fileno()).st_size
                if closing or size <= self._tables_allowed:
                    self._tables_allowed -= self._send(path, file)

    def download(self) -> None:
        """Update the local folder from the remote one, except for events never uploaded.

        After a kill, the local events may be ahead; they then begin with the remote ones. The log
        is read after the tables, so that it holds what they hold even while a search uploads.
        """
        names = [name for name in self.remote.names() if not _stays(name.split("/"))]
        logs = {folder for name in names if (folder := log_of(name)) is not None}
        files = [name for name in names if log_of(name) is None]
        # Without run.json there is no run.
        last = [name for name in files if name.rpartition("/")[2] == RUN]
        for name in sorted({*files}.difference(last)):
            self._fetch(name)
        for folder in sorted(logs):
            inside = self.remote.child(folder) if folder else self.remote
            RemoteLog(self.folder / folder, inside).download()
        for name in last:
            self._fetch(name)
        # Another process may have begun a generation of segments since the last upload.
        self._log = RemoteLog(self.folder, self.remote)

    def _has_half(self, path: Path, file: BinaryIO) -> bool:
        """Return whether at least half of a log of TensorBoard has been uploaded."""
        if path.relative_to(self.folder).parts[0] != _TENSORBOARD or path not in self._equal:
            return False
        return 2 * self._equal[path][1] > os.fstat(file.fileno()).st_size

    def _files(self) -> Iterator[Path]:
        """Yield the files but logs and tables, which the writer of a run uploads."""
        for path in self.folder.rglob("*"):
            written = path.name == EVENTS or path.suffix == ".parquet"
            if not written and not _stays(path.relative_to(self.folder).parts) and path.is_file():
                yield path

    def _send(self, path: Path, file: BinaryIO) -> int:
        """Upload a file if it has changed; return the bytes that this took."""
        state = _state(file)
        if self._equal.get(path) == state:
            return 0
        self.remote.send(file, path.relative_to(self.folder).as_posix())
        self._equal[path] = state
        return state[1]

    def _fetch(self, name: str) -> None:
        path = self.folder / name
        if self.remote.fetch(name, path):
            with path.open("rb") as file:
                self._equal[path] = _state(file)


def _state(file: BinaryIO) -> tuple[int, int]:
    seen = os.fstat(file.fileno())
    return seen.st_mtime_ns, seen.st_size


def _stays(parts: Sequence[str]) -> bool:
    """Return whether a file is neither uploaded nor downloaded.

    This includes files being written aside, those of Weights & Biases, which writes and deletes
    them at any time, and names that lead out of the run.
    """
    return not _LOCAL.isdisjoint(parts) or parts[-1].startswith(".") or ".." in parts
