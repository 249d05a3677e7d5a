"""Uploads a run's folder on this machine while a search writes to it.

A thread uploads what has changed every few seconds. If the machine is lost, at most these seconds
are lost too. Trials then continue from their checkpoints, which are written to the remote side
directly.
"""

from __future__ import annotations

import math
import threading
import time

from tune_robust.errors import UserError
from tune_robust.runs.remote.lease import RENEWED_EVERY, Lease, TakenOver
from tune_robust.runs.remote.local_copy import LocalCopy

EVERY = 5.0
"""Seconds between two uploads."""
_RESTS = 4.0
"""The pause after an upload, in multiples of its duration, since other files are uploaded whole.

It is never so long that the lease is lost.
"""


class Mirror:
    """Uploads the run at ``copy`` until closed, and holds its lease."""

    def __init__(self, copy: LocalCopy):
        self._copy, self._lease = copy, Lease(copy.remote)
        # The previous process may have written until now.
        copy.download()
        self._wake, self._closing = threading.Event(), threading.Event()
        self._problem: UserError | None = None
        # The first upload begins a generation of the log, which must be the holder's: it checks.
        self._renewed = -math.inf
        self._thread = threading.Thread(target=self._work, name="mirror", daemon=True)
        self._thread.start()

    def upload_soon(self) -> None:
        """Upload soon. Raises TakenOver if another process holds the run."""
        if self._problem is not None:
            raise self._problem
        self._wake.set()

    def close(self) -> None:
        """Upload what is left and release the run.

        Raises:
            TakenOver: another process has the run.
            UserError: the upload failed; everything is in the local folder, and opening the run
                again uploads it.
        """
        self._closing.set()
        self._wake.set()
        self._thread.join()
        if self._problem is not None:
            raise self._problem
        self._lease.check()
        self._copy.upload_run(closing=True)
        self._lease.release()

    def _work(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(EVERY)
            self._wake.clear()
            began = time.monotonic()
            try:
                self._renew()
                self._copy.upload_run()
            except TakenOver as error:
                self._problem = error
                return
            except (UserError, OSError):
                # The network may be back next time; otherwise ``close`` reports the error.
                continue
            took = time.monotonic() - began
            self._closing.wait(min(_RESTS * took, RENEWED_EVERY))

    def _renew(self) -> None:
        if time.monotonic() - self._renewed >= RENEWED_EVERY:
            self._lease.renew()
            self._renewed = time.monotonic()
