"""Arrays that are too large for memory, in files."""

from __future__ import annotations

import logging
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import DTypeLike

from tune_robust.formatting import size as formatted

_log = logging.getLogger(__name__)
_IN_MEMORY = 2**28
"""The largest array in bytes that is always kept in memory."""
_folder: ContextVar[Path | None] = ContextVar("folder of large arrays", default=None)


@contextmanager
def large_arrays_in(folder: Path) -> Iterator[None]:
    """Keep the large arrays that are made inside in files of ``folder``."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def new_array(shape: tuple[int, ...]) -> np.ndarray:
    """Return a uint8 array of zeros, in memory or, if it is large, mapped from a file.

    The file has no name, and its space is free again once nothing uses the array. If the folder
    cannot be written or its disk is too small, the array is in memory.
    """
    folder, size = _folder.get(), math.prod(shape)
    if folder is None or size <= _IN_MEMORY:
        return np.zeros(shape, np.uint8)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            return _mapped(file, shape, np.uint8)
    except OSError as error:
        _log.warning("%s of images are decoded in memory: %s", formatted(size), error)
        return np.zeros(shape, np.uint8)


def kept_array(
    name: str, shape: tuple[int, ...], dtype: DTypeLike = np.uint8, *, small: bool = False
) -> np.ndarray:
    """Return an array of zeros mapped from the file ``name``, or as another process has left it.

    What a killed process has done is thereby found by the next one. Call ``flush`` before writing
    what says that something is done. The owner of the folder removes the file. As ``new_array``,
    but for ``small`` ones, it is in memory unless it is large.
    """
    folder, size = _folder.get(), math.prod(shape) * np.dtype(dtype).itemsize
    if folder is None or (size <= _IN_MEMORY and not small):
        return np.zeros(shape, dtype)
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.stat().st_size != size:
            path.unlink(missing_ok=True)
            path.touch(0o600)
        with path.open("r+b") as file:
            return _mapped(file, shape, dtype)
    except OSError as error:
        path.unlink(missing_ok=True)
        _log.warning("%s of images are decoded in memory: %s", formatted(size), error)
        return np.zeros(shape, dtype)


def flush(array: np.ndarray) -> None:
    """Wait until what was written to ``array`` is on disk, if it is mapped from a file."""
    if isinstance(array, np.memmap):
        array.flush()


def _mapped(file: IO[bytes], shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """Return an array over ``file``, which gets its size."""
    # Reserved now: without space, writing to the array later would end the process.
    os.posix_fallocate(file.fileno(), 0, math.prod(shape) * np.dtype(dtype).itemsize)
    return np.memmap(file, dtype, "r+", shape=shape)
