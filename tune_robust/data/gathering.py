"""Gather images of a part, ahead of their use if they are not on the device that uses them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from tune_robust.data.images import LabelledImages

_AHEAD = 2
"""The number of groups of images that are gathered before they are needed."""

_PIECE = 16
"""Compressed images that one thread decodes at a time, so that several share a group."""


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
    decoded by as many threads as PyTorch computes with, and by the caller where it would wait for
    them; decoders let other threads run.
    """
    if not (part.on_host or part.compressed):
        yield from (_read(part, group) for group in groups)
        return
    device = part.labels.device
    on_gpu, compressed = device.type == "cuda", part.compressed

    def gather(piece: Group) -> Tensor:
        pixels = _read(part, piece)
        return pixels.pin_memory() if on_gpu and not compressed else pixels

    threads = torch.get_num_threads() if compressed else 1
    for pieces in _computed_ahead(gather, (_pieces(part, group) for group in groups), threads):
        pixels = _joined(pieces, pinned=on_gpu) if compressed else pieces[0]
        yield pixels.to(device, non_blocking=True)


def _read(part: LabelledImages, group: Group) -> Tensor:
    """Return the images of ``part`` at the positions of ``group``, or crops of them."""
    if isinstance(group, Crops):
        return part.crops(*group)
    return part.pixels(group)


def _pieces(part: LabelledImages, group: Group) -> Sequence[Group]:
    """Return what is gathered at a time: a few of compressed images, otherwise all of ``group``."""
    if isinstance(group, Crops):
        return [*map(Crops, *(each.split(_PIECE) for each in group))]
    # A slice alone would be read from the file only when it is used.
    indices = torch.arange(len(part))[group] if isinstance(group, slice) else group
    return indices.split(_PIECE) if part.compressed else [indices]


def _joined(pieces: list[Tensor], *, pinned: bool) -> Tensor:
    """Return one tensor, which is in page-locked memory if it is ``pinned``."""
    size = (sum(map(len, pieces)), *pieces[0].shape[1:])
    return torch.cat(pieces, out=torch.empty(size, dtype=pieces[0].dtype, pin_memory=pinned))


def _computed_ahead(
    function: Callable[[_In], _Out], groups: Iterable[Sequence[_In]], threads: int
) -> Iterator[list[_Out]]:
    """Yield ``[function(item) for item in group]`` for each group, computed by ``threads`` early.

    Instead of waiting, the caller's thread computes items of its group that no other has begun.
    """
    pool = ThreadPoolExecutor(threads)
    pending: deque[list[tuple[_In, Future[_Out]]]] = deque()

    def next_group() -> list[_Out]:
        group = pending.popleft()
        found = [function(item) if future.cancel() else future for item, future in reversed(group)]
        return [each.result() if isinstance(each, Future) else each for each in reversed(found)]

    try:
        for group in groups:
            pending.append([(item, pool.submit(function, item)) for item in group])
            if len(pending) > _AHEAD and sum(map(len, pending)) > 2 * threads:
                yield next_group()
        while pending:
            yield next_group()
    finally:
        pool.shutdown(cancel_futures=True)
