"""The lock of a run on this machine's file system, which is released when its process ends."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import IO


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock on a file; False if there is no such file."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(opened)
    return False


def lock(file: IO) -> bool:
    """Lock an open file until it is closed; return False if another process has the lock."""
    for _ in range(10):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        # A reader that checks whether the run is live holds the lock for an instant.
        time.sleep(0.02)
    return False
