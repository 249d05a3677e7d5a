"""Where and how a run computes: device, precision and memory layout."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path

import torch

from tune_robust.config import TrainConfig

_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def choose_device(name: str | None = None) -> torch.device:
    """Return the named device; by default a GPU if there is one, else the CPU."""
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def prepare_convolutions(device: torch.device) -> None:
    """Let cuDNN time its algorithms for each new shape and use the fastest, in this process.

    The choice, and with it the last bits of the results, may differ between runs. It is not made if
    deterministic algorithms are requested from PyTorch.
    """
    deterministic = (
        torch.backends.cudnn.deterministic or torch.are_deterministic_algorithms_enabled()
    )
    if device.type == "cuda" and not deterministic:
        torch.backends.cudnn.benchmark = True


def uses_bfloat16(config: TrainConfig, device: torch.device) -> bool:
    """Return whether to use bfloat16.

    ``precision: auto`` does if the GPU computes in it natively. In float32, PyTorch computes
    convolutions in TF32 on NVIDIA GPUs from Ampere on, unless ``torch.backends.cudnn.allow_tf32``
    is False.
    """
    if config.precision == "auto":
        return device.type == "cuda" and _computes_in_bfloat16()
    return config.precision == "bfloat16"


@cache
def _computes_in_bfloat16() -> bool:
    """Return whether the GPU computes in bfloat16 natively; cached, since every pass asks."""
    return torch.cuda.is_bf16_supported(including_emulation=False)


def autocast(config: TrainConfig, device: torch.device) -> AbstractContextManager[None]:
    """Return a context for one forward pass.

    Autocast caches its low-precision copies of the weights until the context closes. One context
    around both passes of SAM would run the second one on the unperturbed weights.
    """
    if not uses_bfloat16(config, device):
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


@contextmanager
def float32_by_default() -> Iterator[None]:
    """Create networks in float32 while inside, whatever the default type of the caller is."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def memory_format(config: TrainConfig) -> torch.memory_format:
    """Return the memory format; ``channels_last: auto`` is channels-last, the faster one."""
    wanted = config.channels_last == "auto" or config.channels_last
    return torch.channels_last if wanted else torch.contiguous_format


def wait_for(device: torch.device) -> None:
    """Wait until ``device`` has finished its work, which a GPU does asynchronously."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_memory_mb(device: torch.device) -> float:
    """Return the peak memory so far: of this process's tensors on a GPU, else of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


_IMAGES_FRACTION = 0.5
"""The largest fraction of a device's memory for images; the rest is for the training."""


def fits_images(device: torch.device, size: float) -> bool:
    """Return whether a trial keeps images of ``size`` bytes on ``device``.

    On a GPU, larger ones stay in the host's memory, or rather in the file that is mapped into it.
    On a CPU they are in this file in any case, but larger ones are read ahead by a thread, since
    the file may not stay in memory.
    """
    return size <= _IMAGES_FRACTION * _memory_bytes(device)


def _memory_bytes(device: torch.device) -> float:
    """Return the memory that this process may use: its fraction of a GPU, or of its container."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        if hasattr(torch.cuda, "get_per_process_memory_fraction"):  # from PyTorch 2.7 on
            return total * torch.cuda.get_per_process_memory_fraction(device)
        return total
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(physical, float(_CONTAINER_LIMIT.read_text()))
    except (OSError, ValueError):  # "max": without a limit
        return physical
