"""A private folder for Ray's sessions that does not fill up.

By default, the sessions of all users are in one folder, with sockets that everyone may replace, and
are never deleted.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tune_robust.errors import UserError

_LONGEST = 20
"""The longest path of the folder for temporary files: the path of a socket has at most 107."""


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yield a folder for Ray inside one that only this user can enter.

    Ray makes its own folder accessible to everyone. Sessions whose process has ended are deleted.

    Raises:
        UserError: another user has created it.
    """
    parent = tempfile.gettempdir()
    folder = Path(parent if len(parent) <= _LONGEST else "/tmp") / f"tune-robust-ray-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.lstat().st_uid != os.getuid():
        raise UserError(
            f"{folder}, where Ray's sessions belong, was created by another user. Delete it, or "
            "set TMPDIR to a folder of your own."
        )
    folder.chmod(0o700)
    rays = folder / "ray"
    rays.mkdir(exist_ok=True)
    _delete_sessions(rays)
    try:
        yield rays
    finally:
        _delete_sessions(rays, os.getpid())


def _delete_sessions(folder: Path, own: int | None = None) -> None:
    """Delete the sessions of process ``own``, and of processes that have ended."""
    for session in folder.glob("session_*_*"):
        process = session.name.rpartition("_")[2]
        ended = not Path(f"/proc/{process}").exists()
        if process.isdigit() and not session.is_symlink() and (ended or int(process) == own):
            shutil.rmtree(session, ignore_errors=True)
