"""End a search that is blocked because a process of Ray has died.

Calls into Ray wait while its global control service (GCS) is down. After a minute, Ray ends the
whole process with an error of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tune_robust.tuning.engine.ray_session import RayLost, check_alive

_LOOKS_EVERY = 1.0
"""Seconds between two checks of Ray's processes."""
_GRACE = 4.0
"""Seconds for a search that is not blocked to notice this itself and to end cleanly."""


@contextmanager
def watched_ray(end: Callable[[RayLost], None]) -> Iterator[None]:
    """Call ``end`` in a thread if Ray dies and the code inside does not end."""
    left = threading.Event()
    threading.Thread(target=_watch, args=(left, end), name="ray-death", daemon=True).start()
    try:
        yield
    finally:
        left.set()


def _watch(left: threading.Event, end: Callable[[RayLost], None]) -> None:
    while not left.wait(_LOOKS_EVERY):
        try:
            check_alive()
        except RayLost as lost:
            if not left.wait(_GRACE):
                end(lost)
            return
