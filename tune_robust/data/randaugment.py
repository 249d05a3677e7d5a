"""RandAugment (Cubuk et al. 2020, arXiv 1909.13719) for many images at once, on their device."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

LAYERS = 2
"""The number of operations per image, applied one after the other."""

STRENGTH = 0.3
"""The fraction of an operation's range: magnitude 9 of 30."""

Operation = Callable[[Tensor, int], Tensor]
"""Maps images uint8 (B, C, H, W) and a direction, 1 or -1, to images of the same shape and type."""


class RandAugment:
    """Apply two of fourteen operations to each image, at magnitude 9 of 30.

    Operations and ranges are those of torchvision's transform, which draws one operation for a
    complete batch from the global random numbers; here the caller draws operations for each image.
    """

    def __init__(self, height: int, width: int):
        self._operations = _operations(height, width)

    @property
    def choices(self) -> int:
        """Return the number of operations, counting each direction."""
        return 2 * len(self._operations)

    def __call__(self, images: Tensor, chosen: Tensor) -> Tensor:
        """Return the augmented images, uint8 (B, C, H, W).

        Args:
            images: (B, C, H, W), on any device.
            chosen: (LAYERS, B) in [0, choices), on the host; which operations to apply.
        """
        orders = chosen.argsort(dim=1, stable=True).to(images.device)  # one upload for all groups
        for layer, order in zip(chosen, orders, strict=True):
            sizes = layer.bincount(minlength=self.choices).tolist()
            groups = [
                self._augmented(group, choice)
                for choice, group in enumerate(images[order].split(sizes))
                if len(group)
            ]
            images = torch.empty_like(images)
            images[order] = torch.cat(groups)
        return images

    def _augmented(self, images: Tensor, choice: int) -> Tensor:
        number, direction = divmod(choice, 2)
        return self._operations[number](images, 2 * direction - 1)


def _operations(height: int, width: int) -> list[Operation]:
    from torchvision.transforms.v2 import functional as F

    def affine(
        images: Tensor, shift: tuple[int, int] = (0, 0), shear: tuple[float, float] = (0.0, 0.0)
    ) -> Tensor:
        return F.affine(images, 0.0, list(shift), 1.0, list(shear))

    shear = math.degrees(math.atan(0.3 * STRENGTH))
    across, down = (round(150 / 331 * side * STRENGTH) for side in (width, height))
    factor = 0.9 * STRENGTH
    bits = 8 - round(4 * STRENGTH)
    threshold = 255 * (1 - STRENGTH)
    return [
        lambda images, way: images,
        lambda images, way: affine(images, shear=(way * shear, 0.0)),
        lambda images, way: affine(images, shear=(0.0, way * shear)),
        lambda images, way: affine(images, shift=(way * across, 0)),
        lambda images, way: affine(images, shift=(0, way * down)),
        lambda images, way: F.rotate(images, way * 30.0 * STRENGTH),
        lambda images, way: F.adjust_brightness(images, 1 + way * factor),
        lambda images, way: F.adjust_saturation(images, 1 + way * factor),
        lambda images, way: F.adjust_contrast(images, 1 + way * factor),
        lambda images, way: F.adjust_sharpness(images, 1 + way * factor),
        lambda images, way: F.posterize(images, bits),
        lambda images, way: F.solarize(images, threshold),
        lambda images, way: F.autocontrast(images),
        lambda images, way: F.equalize(images),
    ]


def draw_choices(below: int, count: int, generator: torch.Generator) -> Tensor:
    """Draw (LAYERS, count) uniform integers in [0, below), on the host."""
    shape = (LAYERS, count)
    return torch.randint(below, shape, generator=generator, device=generator.device).cpu()
