"""A folder for Ray's sessions that nobody else can enter, and that does not fill up.

By default the sessions of all users lie in one folder, with sockets that everyone may replace, and
stay there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tune_robust.errors import UserError

_LONGEST = 24
"""Characters of the path of the folder for temporary files: a socket's path may have 107 in all."""


@contextmanager
def private_folder() -> Iterator[Path]:
    """This user's folder; the sessions in it whose process has ended are deleted.

    Raises:
        UserError: somebody else has made it.
    """
    parent = tempfile.gettempdir()
    folder = Path(parent if len(parent) <= _LONGEST else "/tmp") / f"tune-robust-ray-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    made = folder.lstat()
    if folder.is_symlink() or made.st_uid != os.getuid() or made.st_mode & 0o077:
        raise UserError(
            f"{folder} is not a folder that you alone can enter, as Ray's sessions need it. Delete "
            "it, or set TMPDIR to a folder of your own."
        )
    _delete_sessions(folder)
    try:
        yield folder
    finally:
        _delete_sessions(folder, os.getpid())


def _delete_sessions(folder: Path, own: int | None = None) -> None:
    """Delete the sessions of process ``own``, and of those that are gone."""
    for session in folder.glob("session_*_*"):
        process = session.name.rpartition("_")[2]
        ended = not Path(f"/proc/{process}").exists()
        if process.isdigit() and not session.is_symlink() and (ended or int(process) == own):
            shutil.rmtree(session, ignore_errors=True)
