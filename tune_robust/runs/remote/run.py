"""A run on a remote file system: written to a local folder, which a mirror uploads."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path

from tune_robust.files import cache_root
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.remote.lease import is_held
from tune_robust.runs.remote.local_copy import LocalCopy
from tune_robust.runs.remote.mirror import Mirror
from tune_robust.runs.remote.objects import Remote
from tune_robust.runs.remote.segments import RemoteLog


class RemoteRunFolder(RunFolder):
    """The local folder of the run at ``remote``.

    Checkpoints are only on the remote side, where every machine can read them.
    """

    def __init__(self, remote: Remote, path: Path | None = None):
        key = hashlib.sha256(remote.uri.encode()).hexdigest()[:12]
        super().__init__(path or cache_root() / "runs" / key / remote.name)
        self._remote = remote
        self._dropped: set[str] = set()
        self._copy = LocalCopy(self.path, remote)

    @property
    def place(self) -> str:
        """Its URI."""
        return self._remote.uri

    @property
    def storage(self) -> str:
        """The URI of the folder that contains it."""
        return self._remote.parent.uri

    @property
    def checkpoints_are_here(self) -> bool:
        """False: they are on the remote side."""
        return False

    def inside(self, name: str) -> RemoteRunFolder:
        """Return a run inside this one."""
        return RemoteRunFolder(self._remote.child(name), self.path / name)

    def outside(self) -> RemoteRunFolder:
        """Return the run that contains this one."""
        return RemoteRunFolder(self._remote.parent).download()

    def download(self) -> RemoteRunFolder:
        """Update the local folder, unless a search on this machine is ahead of the remote one."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not super().is_live():
            self._copy.download()
        return self

    def refresh_log(self) -> None:
        """Download what was added to the log, unless it is written on this machine."""
        if not super().is_live():
            RemoteLog(self.path, self._remote).download()

    def is_live(self) -> bool:
        """Return whether a process on any machine works on the run."""
        return super().is_live() or is_held(self._remote)

    def exists(self) -> bool:
        """Return whether the run exists."""
        return self._remote.has("run.json")

    def make(self) -> None:
        """Prepare for a new run; an object store needs no folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def uploader(self) -> Mirror:
        """Start uploading the local folder, and hold the run's lease."""
        return Mirror(self._copy)

    def upload(self) -> None:
        """Upload what was written since the run was closed."""
        self._copy.upload_files(closing=True)

    def checkpoints(self, trial: str) -> str:
        """Return the URI of one trial's checkpoints."""
        return self._remote.child(f"checkpoints/{trial}").uri

    def has_checkpoint(self, trial: str) -> bool:
        """Return whether it was not dropped; asking the remote side would be slow."""
        return trial not in self._dropped

    def copy_checkpoint(self, trial: str, to: str) -> None:
        """Let another trial, which is not recorded yet, begin with a trial's last checkpoint."""
        if self._remote.has(f"checkpoints/{trial}/last.pt"):
            self._remote.copy(f"checkpoints/{trial}/last.pt", f"checkpoints/{to}/last.pt")

    def drop_checkpoints(self, trial: str) -> None:
        """Delete a trial's checkpoints."""
        if trial not in self._dropped:
            self._remote.delete(f"checkpoints/{trial}")
            self._dropped.add(trial)

    def drop_unknown_checkpoints(self, trials: Collection[str]) -> None:
        """Delete the checkpoints of trials other than ``trials``, whose events were lost."""
        for trial in self._remote.child("checkpoints").folders("last.pt"):
            if trial not in trials:
                self._remote.delete(f"checkpoints/{trial}")

    def fetch_checkpoint(self, trial: str, name: str) -> Path | None:
        """Return a local copy of one checkpoint; None if there is none."""
        inside = f"checkpoints/{trial}/{name}"
        return self.path / inside if self._remote.fetch(inside, self.path / inside) else None

    @property
    def predictions(self) -> str:
        """The URI of the trials' predictions."""
        return self._remote.child("predictions").uri

    def drop_predictions(self, trial: str) -> None:
        """Delete a trial's predictions."""
        self._remote.delete(f"predictions/{trial}")

    def drop_unknown_predictions(self, trials: Collection[str]) -> None:
        """Delete the checkpoints of trials other than ``trials``, whose events were lost."""
        names = (name.split("/") for name in self._remote.child("predictions").names())
        for trial in {parts[0] for parts in names if len(parts) > 1}.difference(trials):
            self.drop_predictions(trial)
