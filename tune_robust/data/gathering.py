"""Gather images of a part, ahead of their use if they are not on the device that uses them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from tune_robust.data.images import LabelledImages

_AHEAD = 2
"""The number of groups of images that are gathered before they are needed."""


class Crops(NamedTuple):
    """Positions (B,) of compressed images, and the crops of them, as ``draw_crops`` draws them."""

    indices: Tensor
    drawn: Tensor


Group = Tensor | slice | Crops

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def gathered(part: LabelledImages, groups: Iterable[Group]) -> Iterator[Tensor]:
    """Yield the images of each group of positions in ``part``, uint8, on its labels' device.

    If the images stay in the host's memory, a thread gathers the next groups while one is used, for
    a GPU into page-locked memory, from which it copies without waiting. Compressed images are
    decoded by as many threads as PyTorch computes with; decoders let other threads run.
    """
    if not (part.on_host or part.compressed):
        yield from (_read(part, group) for group in groups)
        return
    device = part.labels.device

    def gather(group: Group) -> Tensor:
        # A slice alone would be read from the file only when it is used.
        indices = torch.arange(len(part))[group] if isinstance(group, slice) else group
        pixels = _read(part, indices)
        return pixels.pin_memory() if device.type == "cuda" else pixels

    threads = torch.get_num_threads() if part.compressed else 1
    for pixels in _computed_ahead(gather, groups, threads):
        yield pixels.to(device, non_blocking=True)


def _read(part: LabelledImages, group: Group) -> Tensor:
    """Return the images of ``part`` at the positions of ``group``, or crops of them."""
    if isinstance(group, Crops):
        return part.crops(*group)
    return part.pixels(group)


def _computed_ahead(
    function: Callable[[_In], _Out], items: Iterable[_In], threads: int
) -> Iterator[_Out]:
    """Yield ``function(item)`` for each item, computed by ``threads`` some items early."""
    with ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[_Out]] = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > max(_AHEAD, threads):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
