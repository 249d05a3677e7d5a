"""Errors of a GPU that is too small or unusable. Does without PyTorch, as a user's loop may do."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_OUT_OF_MEMORY = (
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    # The message of cuDNN if no algorithm's workspace fits into the remaining memory.
    "unable to find an engine",
    "Unable to find a valid cuDNN algorithm",
)
"""Messages of the CUDA libraries without memory; PyTorch's allocator has an error type."""

_CUDA_ERRORS = ("CUDA error", "CUBLAS_STATUS_", "CUDNN_STATUS_", "cuDNN error", "CUSOLVER_STATUS_")


def is_out_of_memory(error: Exception) -> bool:
    """Return whether the trial needs more GPU memory than it was given."""
    return _is_torchs(error, "OutOfMemoryError") or _says(error, _OUT_OF_MEMORY)


def has_broken_cuda(error: Exception) -> bool:
    """Return whether CUDA may be unusable in this process, as after a failed kernel."""
    return _is_torchs(error, "AcceleratorError") or _says(error, _CUDA_ERRORS)


def _is_torchs(error: Exception, name: str) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, getattr(torch, name))


def _says(error: Exception, texts: Sequence[str]) -> bool:
    return any(text in str(error) for text in texts)
