"""What the checks on a GPU find: one row each, as a table and as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch


class Row(NamedTuple):
    """One finding. ``passed`` is None where there is nothing to pass: a figure without a target."""

    part: str
    what: str
    found: str
    target: str = ""
    passed: bool | None = None


class Bench(NamedTuple):
    """Where the checks run; ``quick`` is their reduced form."""

    device: torch.device
    quick: bool
    data_dir: str | None = None
    network: str | None = None

    @property
    def cuda(self) -> bool:
        """Whether this is the real thing."""
        return self.device.type == "cuda"


def checked(part: str, what: str, target: str, check: Callable[[], tuple[str, bool | None]]) -> Row:
    """The row of ``check``, which gives what it found and whether that will do.

    Whatever a driver, a kernel or a library raises is a failure of this row and of no other.
    """
    try:
        found, passed = check()
    except Exception as error:
        found, passed = f"{type(error).__name__}: {str(error)[:300]}", False
    return Row(part, what, found, target, passed)


def milliseconds(device: torch.device, task: Callable[[], Any], *, count: int, warm: int) -> float:
    """Of one ``task`` out of ``count`` in a row, until the device has done them all."""
    for _ in range(warm):
        task()
    finish(device)
    began = time.perf_counter()
    for _ in range(count):
        task()
    finish(device)
    return 1e3 * (time.perf_counter() - began) / count


def finish(device: torch.device) -> None:
    """Return when ``device`` has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
