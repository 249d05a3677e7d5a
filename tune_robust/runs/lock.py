"""One writer for a run on this machine's file system: a lock that dies with its process."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import IO


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock on a file; False where there is none."""
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
    """Take the lock on an open file, which goes when it is closed; False if another has it."""
    for _ in range(10):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        # A reader asking whether the run is live holds the lock for an instant.
        time.sleep(0.02)
    return False
