"""Load arrays from old pickles without allowing anything else in them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct

ARRAY_GLOBALS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_reconstruct, "numpy.core.multiarray._reconstruct"),
    _reconstruct,
    np.ndarray,
    np.dtype,
    np.dtypes.Int64DType,
    np.dtypes.Int32DType,
]
"""What a pickle of integer arrays needs, including the older name of ``_reconstruct``."""


@contextmanager
def quiet_old_pickles() -> Iterator[None]:
    """Suppress the warning of NumPy 2.4.0 to 2.4.4 about old pickles (numpy/numpy#31177)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"dtype\(\): align")
        yield
