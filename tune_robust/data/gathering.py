"""Gather images of a part, ahead of their use if they are not on the device that uses them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

from tune_robust.data.images import LabelledImages

_AHEAD = 2
"""The number of groups of images that are gathered before they are needed."""

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def gathered(part: LabelledImages, groups: Iterable[Tensor | slice]) -> Iterator[Tensor]:
    """Yield the images at each group of positions in ``part``, uint8, on its labels' device.

    If the images stay in the host's memory, a thread gathers the next groups while one is used, for
    a GPU into page-locked memory, from which it copies without waiting.
    """
    if not part.on_host:
        yield from map(part.pixels, groups)
        return
    device = part.labels.device

    def gather(group: Tensor | slice) -> Tensor:
        # A slice alone would be read from the file only when it is used.
        indices = torch.arange(len(part))[group] if isinstance(group, slice) else group.cpu()
        pixels = part.pixels(indices)
        return pixels.pin_memory() if device.type == "cuda" else pixels

    for pixels in _computed_ahead(gather, groups):
        yield pixels.to(device, non_blocking=True)


def _computed_ahead(function: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
    """Yield ``function(item)`` for each item, computed by a thread up to ``_AHEAD`` items early."""
    with ThreadPoolExecutor(1) as thread:
        pending: deque[Future[_Out]] = deque()
        for item in items:
            pending.append(thread.submit(function, item))
            if len(pending) > _AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
