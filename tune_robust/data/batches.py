"""Make batches on the device that holds the images: shuffled, augmented and normalised at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from tune_robust.config import OwnPart
from tune_robust.data.gathering import Crops, Group, gathered
from tune_robust.data.images import LabelledImages, is_image
from tune_robust.data.own_augmentation import own_augmentation
from tune_robust.data.randaugment import RandAugment, draw_choices
from tune_robust.data.resized_crop import boxes, draw_crops, resized_crops
from tune_robust.errors import UserError

_PIXELS_AT_ONCE = 2**22
"""Values gathered together: the call overhead of many small batches would exceed the work."""

_PIXELS_AT_ONCE_IN_GROUPS = 2**24
"""The same for RandAugment, each of whose operations takes as long for few images as for many."""


class Batches:
    """Iterate over the training batches; each iteration is one epoch in a new random order.

    Yields ``(inputs, labels, indices)``: float32 (B, C, H, W), int64 (B,), and int64 (B,) positions
    in the part. They are views of tensors that several batches share. All random numbers of an
    epoch are drawn at its start, so restoring the state that ``generator`` had between two epochs
    repeats the same batches.

    Args:
        part: the training images; the batches are on the device of its labels.
        batch_size: images per batch, at most ``len(part)``.
        augment: ``flip`` mirrors half of the images. ``crop_flip`` also shifts them by up to an
            eighth of their side (4 of 32 pixels) in each direction and pads with black.
            ``resized_crop_flip`` enlarges a crop of 8 to 100 % of their area (see resized_crop),
            of compressed images of the area that they have before they are scaled.
            ``randaugment`` crops, flips and applies two of fourteen operations (see RandAugment).
            A part from elsewhere is called with the inputs before they are normalised.
        mean, std: one value per channel, for pixels in [0, 1]; for floating-point inputs, of the
            values themselves.
        generator: the source of randomness, on any device.
        drop_last: whether to leave out a last batch that is not full.
        memory_format: the memory format of the inputs.
        share: of ``(rank, size)`` processes that train together, the one whose equal part of each
            batch is made. All of them draw the random numbers of the whole batches.

    Raises:
        UserError: a batch is larger than the part, or cannot be divided among the processes.
    """

    def __init__(
        self,
        part: LabelledImages,
        batch_size: int,
        *,
        augment: Literal["none", "flip", "crop_flip", "resized_crop_flip", "randaugment"] | OwnPart,
        mean: Sequence[float],
        std: Sequence[float],
        generator: torch.Generator,
        drop_last: bool = True,
        memory_format: torch.memory_format = torch.contiguous_format,
        share: tuple[int, int] = (0, 1),
    ):
        if batch_size > len(part):
            raise UserError(
                f"batch_size: {batch_size} is more than the {len(part)} training images; allowed "
                f"is 1 to {len(part)}. Lower it, or hold out less with data.validation.size."
            )
        self._rank, size = share
        if batch_size % size:
            raise UserError(
                f"batch_size: {batch_size} cannot be divided among {size} processes. Choose a "
                f"multiple of {size}, such as {batch_size // size * size or size}."
            )
        self.part, self.batch_size, self.generator = part, batch_size // size, generator
        self._whole = batch_size
        self.drop_last, self._memory_format = drop_last, memory_format
        self._own = None
        if isinstance(augment, OwnPart):
            self._own = own_augmentation(augment, part.fields)
        self._flip = augment != "none" and self._own is None
        if self._flip and not is_image(part.source):
            raise UserError(
                f"data.augment: {augment} is for images, uint8 (C, H, W) with 1 or 3 channels; the "
                f"inputs are {part.describe()} each. Use none, or your own."
            )
        height, width = part.image_shape[1:] if is_image(part.source) else (0, 0)
        self._padding = min(height, width) // 8 if augment in ("crop_flip", "randaugment") else 0
        self._resizes = augment == "resized_crop_flip"
        self._randaugment = RandAugment(height, width) if augment == "randaugment" else None
        self._device = part.labels.device
        self._scale = _input_scale(mean, std, part)

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        full, rest = divmod(len(self.part), self._whole)
        return full if self.drop_last else full + (rest > 0)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        count, device = len(self.part), self.generator.device
        order = torch.randperm(count, generator=self.generator, device=device)
        shifts = self._draw(2 * self._padding + 1, (2, count))
        flips = self._draw(2, (count, 1, 1, 1)).bool()
        chosen = self._draw_operations(count)
        crops = draw_crops(count, self.generator) if self._resizes else None
        if self._whole > self.batch_size:
            own = self._own_positions()
            order, shifts, flips = order[own], shifts[:, own], flips[own]
            chosen = None if chosen is None else chosen[:, own]
            crops = None if crops is None else crops[own]
        draws = [draw.to(self._device) for draw in (order, *shifts, flips)]
        for start, source in self._gathered(order, crops):
            end = start + len(source)
            indices, rows, columns, flip = (draw[start:end] for draw in draws)
            pixels = _shifted(source, rows, columns, self._padding)
            if crops is not None and not self.part.compressed:
                pixels = resized_crops(pixels, boxes(crops[start:end].to(self._device)))
            if self._flip:
                pixels = torch.where(flip, pixels.flip(-1), pixels)
            if self._randaugment is not None and chosen is not None:
                pixels = self._randaugment(pixels, chosen[:, start:end])
            if self._own is not None:
                pixels = torch.cat([self._own(batch) for batch in pixels.split(self.batch_size)])
            inputs = _normalised(_laid_out(pixels, self._memory_format), self._scale)
            together = (inputs, self.part.labels[indices], indices)
            yield from zip(*(t.split(self.batch_size) for t in together), strict=True)

    def _own_positions(self) -> Tensor:
        """Return where in an epoch's order the samples of this process's parts of batches are."""
        batches = torch.arange(len(self) * self._whole).view(len(self), self._whole)
        first = self._rank * self.batch_size
        return batches[:, first : first + self.batch_size].flatten()

    def _gathered(self, order: Tensor, crops: Tensor | None) -> Iterator[tuple[int, Tensor]]:
        """Yield the source's pixels of the images ``order``, and where in ``order`` they begin.

        Compressed images are cropped as they are decoded, since that shows more of their detail.
        """
        count = len(self) * self.batch_size
        starts = range(0, count, self._at_once)
        indices = order.to(self.part.source.device)[:count].split(self._at_once)
        groups: Iterable[Group] = indices
        if crops is not None and self.part.compressed:
            groups = map(Crops, indices, crops[:count].cpu().split(self._at_once))
        return zip(starts, gathered(self.part, groups), strict=True)

    @property
    def _at_once(self) -> int:
        """Return how many images are gathered together, a whole number of batches.

        Compressed ones take so long to decode that only RandAugment is worth the wait for several
        batches.
        """
        if self.part.compressed and self._randaugment is None:
            return self.batch_size
        batch = self.batch_size * math.prod(self.part.input_shape)
        pixels = _PIXELS_AT_ONCE if self._randaugment is None else _PIXELS_AT_ONCE_IN_GROUPS
        return max(1, pixels // batch) * self.batch_size

    def _draw_operations(self, count: int) -> Tensor | None:
        if self._randaugment is None:
            return None
        return draw_choices(self._randaugment.choices, count, self.generator)

    def _draw(self, below: int, shape: tuple[int, ...]) -> Tensor:
        """Draw uniform integers in [0, below)."""
        device = self.generator.device
        return torch.randint(below, shape, generator=self.generator, device=device)


def evaluation_batches(
    part: LabelledImages,
    batch_size: int,
    mean: Sequence[float],
    std: Sequence[float],
    memory_format: torch.memory_format = torch.contiguous_format,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield ``(inputs, labels)`` of all images in order, without augmentation.

    Inputs are float32 (B, C, H, W), labels int64 (B,).
    """
    scale = _input_scale(mean, std, part)
    groups = (slice(start, start + batch_size) for start in range(0, len(part), batch_size))
    labels = part.labels.split(batch_size)
    for source, given in zip(gathered(part, groups), labels, strict=True):
        yield _normalised(_laid_out(source, memory_format), scale), given


def _shifted(images: Tensor, rows: Tensor, columns: Tensor, padding: int) -> Tensor:
    """Shift each image (C, H, W) inside a border of ``padding`` zeros, by rows and columns (N,).

    An offset of 0 shifts furthest down or right, ``2 * padding`` furthest up or left.
    """
    if not padding:
        return images
    height, width = images.shape[2:]
    windows = F.pad(images, [padding] * 4).unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(len(images), device=images.device), :, rows, columns]


Scale = tuple[Tensor, Tensor]
"""What to subtract and what to divide by, each (C, 1, 1) of images."""


def _input_scale(mean: Sequence[float], std: Sequence[float], part: LabelledImages) -> Scale | None:
    """Return mean and deviation of inputs as the source has them; None if they stay as they are."""
    if not mean:
        return None
    source, device = part.source, part.labels.device
    scale = torch.tensor([mean, std], device=device, dtype=torch.float32)
    if source.dtype == torch.uint8:
        scale = 255 * scale
    shape = (-1, *[1] * (source.ndim - 2))
    return scale[0].view(shape), scale[1].view(shape)


def _laid_out(inputs: Tensor, memory_format: torch.memory_format) -> Tensor:
    """Images in ``memory_format``; channels-last is defined for nothing else."""
    return inputs.contiguous(memory_format=memory_format) if inputs.ndim == 4 else inputs


def _normalised(inputs: Tensor, scale: Scale | None) -> Tensor:
    if scale is None:
        return inputs
    return inputs.to(torch.float32, copy=True).sub_(scale[0]).div_(scale[1])
