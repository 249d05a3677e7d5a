"""Images that stay compressed: they are decoded when they are needed, at any size they have."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tune_robust.data.decoding import decode_image, in_channels
from tune_robust.data.encoded import Encoded, Places
from tune_robust.data.resized_crop import boxes


class CompressedImages:
    """Encoded images that are indexed like a tensor, uint8 (N, C, S, S), and decoded by that.

    An image is scaled until its shorter side is S, and its central square is cropped, as by
    ``decode_images``: it is the same, bit for bit, as if it had been decoded before the training.

    Args:
        encoded: the images where they are stored.
        rows: those of ``encoded`` that are meant.
        channels: 1 or 3; the others are converted.
        size: S, in pixels.
    """

    ndim = 4
    dtype = torch.uint8
    device = torch.device("cpu")

    def __init__(self, encoded: Encoded, rows: range, channels: int, size: int):
        self._encoded, self._rows = encoded, rows
        self.channels, self.size = channels, size
        self._places = Places(encoded)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> torch.Size:
        """Return (N, C, S, S)."""
        return torch.Size([len(self), self.channels, self.size, self.size])

    @property
    def nbytes(self) -> int:
        """Return the size of the compressed images."""
        return int(self._encoded.ranges[self._rows.start : self._rows.stop, 2].sum())

    def is_floating_point(self) -> bool:
        """Return False, as a tensor of pixels does."""
        return False

    def __getitem__(self, which: int | slice | Tensor) -> Tensor:
        if not isinstance(which, Tensor | slice):
            return self._central(self._rows[which])
        indices = which.tolist() if isinstance(which, Tensor) else range(len(self))[which]
        found = torch.empty((len(indices), *self.shape[1:]), dtype=torch.uint8)
        for image, index in zip(found, indices, strict=True):
            image.copy_(self._central(self._rows[index]))
        return found

    def crops(self, which: Tensor, drawn: Tensor) -> Tensor:
        """Return crops of the images ``which`` (B,) as they are stored, scaled to (B, C, S, S).

        ``drawn`` (B, 4) are those of ``draw_crops``. Nothing is lost by scaling the image before,
        so a small crop has more detail than one of the central square.
        """
        found = torch.empty((len(which), *self.shape[1:]), dtype=torch.uint8)
        for image, index, crop in zip(found, which.tolist(), drawn, strict=True):
            image.copy_(self._crop(self._rows[index], crop))
        return found

    def _central(self, row: int) -> Tensor:
        image = decode_image(self._encoded[row], self._places[row], self.size).pixels
        return self._tensor(image)

    def _crop(self, row: int, drawn: Tensor) -> Tensor:
        """Return one of ``crops``, with ``drawn`` (4,)."""

        def enough(width: int, height: int) -> tuple[int, int]:
            _, _, *fractions = boxes(drawn[None], width / height)[0].tolist()
            return tuple(math.ceil(self.size / fraction) for fraction in fractions)

        image = decode_image(self._encoded[row], self._places[row], enough=enough).pixels
        height, width = image.shape[:2]
        x, y, half_width, half_height = boxes(drawn[None], width / height)[0].tolist()
        part = image[_pixels(y, half_height, height), _pixels(x, half_width, width)]
        pixels, size = self._tensor(part), (self.size, self.size)
        return F.interpolate(pixels[None], size, mode="bilinear", antialias=True)[0]

    def _tensor(self, image: np.ndarray) -> Tensor:
        """Return pixels (H, W, 1 or 3) as (C, H, W)."""
        return torch.from_numpy(np.array(in_channels(image, self.channels))).permute(2, 0, 1)


def _pixels(centre: float, half: float, side: int) -> slice:
    """Return the pixels of the range ``centre`` +- ``half`` in [-1, 1], of ``side`` pixels."""
    length = max(1, round(half * side))
    start = min(round((1 + centre - half) / 2 * side), side - length)
    return slice(start, start + length)
