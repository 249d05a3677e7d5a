"""The mean and standard deviation of images' channels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from tune_robust.data.images import Pixels

_PIXELS_AT_ONCE = 2**20


Statistics = tuple[tuple[float, ...], tuple[float, ...]]


def channel_statistics(
    images: Pixels,
    positions: torch.Tensor | None = None,
    moments: torch.Tensor | None = None,
) -> Statistics:
    """Return the mean and standard deviation of each channel of uint8 (M, C, H, W), in [0, 1].

    If ``positions`` (N,) is given, only the images at these positions are used. With their
    ``moments``, the images are not read.

    Sums of integers below 2**53 are exact, so the result does not depend on the order of summation.
    A constant channel gets the standard deviation 1, so that it is normalised to zero.

    Of float32 (M, C, ...), the statistics are those of the values themselves; integers such as
    token ids have none.
    """
    if images.is_floating_point():
        return _statistics_of_numbers(images[:] if positions is None else images[positions])
    if images.dtype != torch.uint8:
        return (), ()
    if moments is None:
        moments = image_moments(images, positions)
    elif positions is not None:
        moments = moments[positions]
    total, squares = moments.sum(0).double()
    count = len(moments) * math.prod(images.shape[2:])
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0).sqrt()
    std[std == 0] = 255
    return tuple((mean / 255).tolist()), tuple((std / 255).tolist())


def image_moments(images: Pixels, positions: torch.Tensor | None = None) -> torch.Tensor:
    """Return the sums of each image's pixels and of their squares, int64 (M, 2, C).

    ``images`` are uint8 (M, C, ...); if ``positions`` (N,) is given, only those are used.
    """
    chosen = torch.arange(len(images)) if positions is None else positions
    moments = torch.empty(len(chosen), 2, images.shape[1], dtype=torch.int64)
    at_once = max(1, _PIXELS_AT_ONCE // images[0].numel())
    for chunk, sums in zip(chosen.split(at_once), moments.split(at_once), strict=True):
        pixels = images[chunk].double()[..., None].flatten(2)
        sums[:, 0], sums[:, 1] = pixels.sum(2), pixels.square().sum(2)
    return moments


def _statistics_of_numbers(inputs: torch.Tensor) -> Statistics:
    each = inputs.double().transpose(0, 1).flatten(1)
    mean, std = each.mean(1), each.std(1, correction=0)
    std[std == 0] = 1
    return tuple(mean.tolist()), tuple(std.tolist())
