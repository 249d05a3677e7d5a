"""One writer for a run on this machine's file system: a lock that dies with its process."""

from __future__ import annotations

import fcntl
import time
from contextlib import suppress
from typing import TextIO

from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder


def exclusive_lock(folder: RunFolder) -> TextIO:
    """Hold the run's lock until the file that is returned is closed.

    Raises:
        UserError: another process holds it.
    """
    handle = folder.lock.open("a")
    for _ in range(10):
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        # A reader asking whether the run is live holds the lock for an instant.
        time.sleep(0.02)
    handle.close()
    raise UserError(
        f"another process is working on the run {folder.path.name!r}. "
        f"Watch it with `tune-robust status {folder.place}`."
    )
