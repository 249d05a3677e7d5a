"""Where and how a run computes: device, precision, memory layout."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache

import torch

from tune_robust.config import TrainConfig


def choose_device(name: str | None = None) -> torch.device:
    """The named device, else a GPU where there is one, else the CPU."""
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def prepare_convolutions(device: torch.device) -> None:
    """Let cuDNN time its algorithms at each new shape, and keep the fastest, in this process.

    A choice by timing may differ from run to run, and the last bits of the results with it: it is
    not made where the caller has asked PyTorch for deterministic algorithms.
    """
    deterministic = (
        torch.backends.cudnn.deterministic or torch.are_deterministic_algorithms_enabled()
    )
    if device.type == "cuda" and not deterministic:
        torch.backends.cudnn.benchmark = True


def uses_bfloat16(config: TrainConfig, device: torch.device) -> bool:
    """``precision: auto`` is bfloat16 where the GPU computes in it, float32 elsewhere.

    PyTorch computes the convolutions of float32 in TF32 on NVIDIA GPUs from Ampere on, unless
    ``torch.backends.cudnn.allow_tf32`` is False.
    """
    if config.precision == "auto":
        return device.type == "cuda" and _computes_in_bfloat16()
    return config.precision == "bfloat16"


@cache
def _computes_in_bfloat16() -> bool:
    """Asked in every forward pass, and answered by the driver. Older GPUs only emulate it."""
    return torch.cuda.is_bf16_supported(including_emulation=False)


def autocast(config: TrainConfig, device: torch.device) -> AbstractContextManager[None]:
    """One context for one forward pass.

    Autocast caches its low-precision copies of the weights until the context closes: one context
    around both of SAM's passes would run the second on the unperturbed weights.
    """
    if not uses_bfloat16(config, device):
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


@contextmanager
def float32_by_default() -> Iterator[None]:
    """Inside, networks are made in float32, whatever the caller's default type is."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def memory_format(config: TrainConfig) -> torch.memory_format:
    """``channels_last: auto`` is channels-last: the faster on GPUs, and by a tenth on CPUs."""
    wanted = config.channels_last == "auto" or config.channels_last
    return torch.channels_last if wanted else torch.contiguous_format


def wait_for(device: torch.device) -> None:
    """Return when ``device`` has done what it was given: a GPU is given work ahead of time."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_memory_mb(device: torch.device) -> float:
    """Most memory held so far: on the GPU by this process's tensors, on the CPU by the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
