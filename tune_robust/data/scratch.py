"""Arrays that are too large for memory, in a file without a name."""

from __future__ import annotations

import logging
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np

from tune_robust.formatting import size as formatted

_log = logging.getLogger(__name__)
_IN_MEMORY = 2**30
"""The largest array in bytes that is always kept in memory."""
_folder: ContextVar[Path | None] = ContextVar("folder of large arrays", default=None)


@contextmanager
def large_arrays_in(folder: Path) -> Iterator[None]:
    """Keep the large arrays that ``new_array`` makes inside in files of ``folder``."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def new_array(shape: tuple[int, ...]) -> np.ndarray:
    """Return an uninitialised uint8 array, in memory or, if it is large, mapped from a file.

    The file has no name, and its space is free again once nothing uses the array. If the folder
    cannot be written or its disk is too small, the array is in memory.
    """
    folder, size = _folder.get(), math.prod(shape)
    if folder is None or size <= _IN_MEMORY:
        return np.empty(shape, np.uint8)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            # Reserved now: without space, writing to the array later would end the process.
            os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, np.uint8, "r+", shape=shape)
    except OSError as error:
        _log.warning("%s of images are decoded in memory: %s", formatted(size), error)
        return np.empty(shape, np.uint8)
