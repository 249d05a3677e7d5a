"""Let one process at a time make a file that several processes need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Wait until no other process is making ``path``, and hold the lock while inside.

    If the lock cannot be written, neither can the file, and the call does not wait.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        lock.release()
