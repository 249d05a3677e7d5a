"""Train the next epoch in a thread while the caller stores the one before."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

_Item = TypeVar("_Item")

_THREAD = ThreadPoolExecutor(1, "training")
"""One thread for all runs of this process: PyTorch keeps threads and recorded graphs by thread."""


def ahead(items: Callable[[Event], Iterator[_Item]]) -> Generator[_Item]:
    """Yield the items of ``items(stop)``, each while a thread makes the one after it.

    The thread is never more than one item ahead. An error is raised in place of its item. Closing
    this generator sets ``stop``, waits until the thread is idle and drops the item it has made.
    Only one such generator at a time makes items in a process.

    Args:
        items: begins to make them, and ends soon after its argument is set.
    """
    stop = Event()
    made = items(stop)
    coming = _THREAD.submit(next, made, None)
    try:
        while (item := coming.result()) is not None:
            coming = _THREAD.submit(next, made, None)
            yield item
    finally:
        stop.set()
        coming.exception()  # returns when the thread is idle
