"""One writer for a run on a remote file system, which has no locks.

The writer renews an object, ``run.lease``, for as long as it works. Whoever finds one watches
whether it is renewed: no clock has to agree with any other.
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
"""Seconds without renewal after which its holder counts as dead."""


class TakenOver(UserError):
    """Another process writes to the run."""


class Lease:
    """The right to write to ``run``.

    Args:
        run: the run's remote folder.
        sleep: waits some seconds; for tests.

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
        # Whoever asked at the same moment wrote too: the last one has it.
        if found is not None:
            sleep(1.0)
        self.check()

    def check(self) -> None:
        """Raise TakenOver when another process has the run."""
        if self._holder() != self._owner:
            raise self._refusal()

    def renew(self) -> None:
        """Show that the holder lives. Raises TakenOver when another process has the run."""
        self.check()
        self._write()

    def release(self) -> None:
        """Give the run free, unless another process has it."""
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
    """Whether a writer has renewed the run's lease of late, by this machine's clock."""
    age = run.age(LEASE, time.time())
    return age is not None and age < LOST_AFTER


def _is_dead(lease: bytes) -> bool:
    """Whether its holder was a process of this machine that is gone."""
    holder = json.loads(lease)
    if holder["host"] != socket.gethostname():
        return False
    return not Path(f"/proc/{holder['pid']}").exists()
