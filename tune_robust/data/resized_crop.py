"""Random resized crops of a complete batch (Szegedy et al. 2015, arXiv 1409.4842)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SCALE = (0.08, 1.0)
"""The range of a crop's area, as a fraction of the image's."""

RATIO = (3 / 4, 4 / 3)
"""The range of a crop's aspect ratio (width / height), in square images or relative to theirs."""


def draw_crops(count: int, generator: torch.Generator) -> torch.Tensor:
    """Draw crops (count, 4) of images of any size: area, aspect ratio, and position as x and y.

    The area, a fraction of the image's, is uniform in ``SCALE``, and the logarithm of the aspect
    ratio is uniform in that of ``RATIO``. The position is uniform in [0, 1].
    """
    area, ratio, x, y = torch.rand(4, count, generator=generator, device=generator.device)
    area = SCALE[0] + (SCALE[1] - SCALE[0]) * area
    low, high = math.log(RATIO[0]), math.log(RATIO[1])
    return torch.stack([area, (low + (high - low) * ratio).exp(), x, y], 1)


def boxes(crops: torch.Tensor, aspect: float = 1.0) -> torch.Tensor:
    """Return crops (N, 4) as boxes: centre and half the size, each x and y, in an image of [-1, 1].

    ``aspect`` is the width of the images over their height. A side that would exceed the image is
    cut to the image.
    """
    area, ratio, x, y = crops.unbind(1)
    ratio = ratio / aspect
    width, height = ((area * r).sqrt().clamp(max=1) for r in (ratio, 1 / ratio))
    return torch.stack([(2 * x - 1) * (1 - width), (2 * y - 1) * (1 - height), width, height], 1)


def resized_crops(images: Tensor, boxes: Tensor) -> Tensor:
    """Return the crops ``boxes`` (B, 4) of uint8 ``images`` (B, C, H, W), enlarged to (H, W)."""
    x, y, width, height = boxes.unbind(1)
    zero = torch.zeros_like(x)
    rows = [torch.stack([width, zero, x], 1), torch.stack([zero, height, y], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    crops = F.grid_sample(
        images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return crops.round_().clamp_(0, 255).to(torch.uint8)
