"""What a dataset and its parts are. Images stay uint8 NCHW until a batch is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

UNKNOWN = -1
"""The true label of an image that nobody has checked."""


def is_image(inputs: Tensor) -> bool:
    """Whether ``inputs`` (N, ...) are images, and not rows of a table, token ids or the like."""
    return inputs.ndim == 4 and inputs.dtype == torch.uint8 and inputs.shape[1] in (1, 3)


class Images(NamedTuple):
    """Images as a source gives them: uint8 (N, C, H, W), C 1 or 3, and labels int64 (N,).

    A user's own data may be anything: uint8 or float32 (N, C, ...), or int64 (N, ...).

    ``given_labels`` int64 (N,) where the source has noisy labels beside these, ``names`` the files
    that the images come from where a table of labels may name them.
    """

    images: Tensor
    labels: Tensor
    given_labels: Tensor | None = None
    names: tuple[str, ...] | None = None


class Dataset(NamedTuple):
    """A source's training and test images, of which there may be none; labels index ``classes``."""

    train: Images
    test: Images
    classes: tuple[str, ...]


@dataclass(frozen=True)
class LabelledImages:
    """A part of a dataset: N images, the labels given and the true ones (N,).

    The images are ``source``, uint8 (M, C, H, W), at ``positions`` (N,), by default all of it: the
    parts of a run share one source, which the trials of a machine share as one file in memory. A
    true label may be ``UNKNOWN``; its image then counts neither as noisy nor as clean.
    """

    source: Tensor
    labels: Tensor
    true_labels: Tensor
    positions: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        channels, height, width = self.source.shape[1:]
        return channels, height, width

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input, (C, H, W) of an image."""
        return tuple(self.source.shape[1:])

    @property
    def images(self) -> Tensor:
        """All images, uint8 (N, C, H, W): a copy unless they are the whole source."""
        return self.source if self.positions is None else self.source[self.positions]

    @property
    def image_bytes(self) -> int:
        """What ``images`` takes."""
        return len(self) * self.source[:1].nbytes

    def pixels(self, which: Tensor | slice) -> Tensor:
        """The images at ``which`` places of the part, uint8."""
        return self.source[which if self.positions is None else self.positions[which]]

    def take(self, which: Tensor) -> Self:
        """The part that has only the images at ``which`` places, int64 (n,), in that order."""
        positions = which if self.positions is None else self.positions[which]
        return type(self)(self.source, self.labels[which], self.true_labels[which], positions)

    @property
    def noisy(self) -> Tensor:
        """Which labels are known to be wrong: bool (N,)."""
        return (self.labels != self.true_labels) & (self.true_labels != UNKNOWN)

    @property
    def clean(self) -> Tensor:
        """Which labels are known to be right: bool (N,)."""
        return self.labels == self.true_labels

    def to(self, device: torch.device | str) -> Self:
        """The same part with its tensors on ``device``: itself, or a copy of its images alone."""
        if torch.device(device) == self.source.device:
            return self
        return type(self)(
            self.images.to(device), self.labels.to(device), self.true_labels.to(device)
        )


@dataclass(frozen=True)
class Splits:
    """The parts of one run; ``mean`` and ``std`` (one per channel, of pixels in [0, 1]) come from
    the training part alone. Floating-point inputs have theirs as they are, integers none.
    """

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
