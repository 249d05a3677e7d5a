"""The lock of a run on a remote file system, which has no locks of its own.

The writer renews an object, ``run.lease``, while it works. Another process
that finds the object checks whether it is renewed, so that clocks need not agree.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from tune_robust.errors import UserError
from tune_robust.runs.remote.objects import Remote

LEASE = "run.lease"
RENEWED_EVERY = 10.0
"""Seconds."""
LOST_AFTER = 3 * RENEWED_EVERY
"""Seconds without renewal after which the holder of a lease counts as dead."""


class TakenOver(UserError):
    """Another process writes to the run."""


class Lease:
    """The right to write to ``run``.

    Args:
        run: the run's remote folder.
        sleep: waits for some seconds; a parameter for tests.

    Raises:
        TakenOver: another process holds it.
    """

    def __init__(self, run: Remote, sleep: Callable[[float], None] = time.sleep):
        self._run, self._owner, self._count = run, uuid.uuid4().hex, 0
        found = run.read(LEASE)
        if found is not None and not _is_dead(found):
            sleep(LOST_AFTER)
            if run.read(LEASE) not in (None, found):
                raise self._refusal()
        self._write()
        # Another process may have written at the same moment: the last one holds the lease.
        if found is not None:
            sleep(1.0)
        self.check()

    def check(self) -> None:
        """Raise TakenOver if another process holds the lease."""
        if self._holder() != self._owner:
            raise self._refusal()

    def renew(self) -> None:
        """Renew the lease. Raises TakenOver if another process holds it."""
        self.check()
        self._write()

    def release(self) -> None:
        """Release the run, unless another process holds it."""
        if self._holder() == self._owner:
            self._run.delete(LEASE)

    def _write(self) -> None:
        self._count += 1
        holder = {"owner": self._owner, "host": socket.gethostname(), "pid": os.getpid()}
        self._run.write(LEASE, json.dumps({**holder, "count": self._count}).encode())

    def _holder(self) -> str | None:
        found = self._run.read(LEASE)
        return None if found is None else json.loads(found)["owner"]

    def _refusal(self) -> TakenOver:
        return TakenOver(
            f"another process is working on the run {self._run.name!r}. "
            f"Watch it with `tune-robust status {self._run.uri}`."
        )


def is_held(run: Remote) -> bool:
    """Return whether a writer has renewed the lease recently, by this machine's clock."""
    age = run.age(LEASE, time.time())
    return age is not None and age < LOST_AFTER


def _is_dead(lease: bytes) -> bool:
    """Return whether the holder was a process on this machine that has ended."""
    holder = json.loads(lease)
    if holder["host"] != socket.gethostname():
        return False
    return not Path(f"/proc/{holder['pid']}").exists()
