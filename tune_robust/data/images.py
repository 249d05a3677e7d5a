"""A data set and its parts. Images stay uint8 in NCHW order until batches are made from them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Self

import torch
from torch import Tensor

from tune_robust.data.compressed import CompressedImages
from tune_robust.data.fields import Fields

Pixels = Tensor | CompressedImages
"""Inputs (N, ...): a tensor or, of images that stay compressed, what decodes them when indexed."""

UNKNOWN = -1
"""The true label of an image whose label was never verified."""


def is_image(inputs: Pixels) -> bool:
    """Whether ``inputs`` (N, ...) are images, and not rows of a table, token ids or the like."""
    return inputs.ndim == 4 and inputs.dtype == torch.uint8 and inputs.shape[1] in (1, 3)


def decoded(inputs: Pixels) -> Tensor:
    """Return ``inputs`` as a tensor, for which compressed images are all decoded."""
    return inputs if isinstance(inputs, Tensor) else inputs[:]


class Images(NamedTuple):
    """Images from a source: uint8 (N, C, H, W) with C = 1 or 3, and labels int64 (N,).

    A user's own data may be anything: uint8 or float32 (N, C, ...), or int64 (N, ...).

    ``given_labels``, int64 (N,), are noisy labels that the source has in addition to the true ones.
    ``names`` are the file names of the images, if a table of labels may refer to them. ``moments``
    are those of ``image_moments``, if they were stored with the images. If a sample has several
    inputs, ``fields`` says what they are, and the images are their records, uint8 (N, R).
    ``index_file`` stores what is known of compressed images, if it is stored.
    """

    images: Pixels
    labels: Tensor
    given_labels: Tensor | None = None
    names: tuple[str, ...] | None = None
    moments: Tensor | None = None
    fields: Fields | None = None
    index_file: Path | None = None

    @property
    def compressed(self) -> bool:
        """Return whether the images stay compressed and are decoded when they are needed."""
        return isinstance(self.images, CompressedImages)

    def describe(self) -> str:
        """Return what each input is: its type and shape, of several inputs also their names."""
        return str(self.fields or f"{self.images.dtype} {tuple(self.images.shape[1:])}")


class Dataset(NamedTuple):
    """The training and test images of a source.

    The test images may be none. Labels index ``classes``.
    """

    train: Images
    test: Images
    classes: tuple[str, ...]


@dataclass(frozen=True)
class LabelledImages:
    """A part of a data set: N images with their given and their true labels (N,).

    The images are those of ``source``, uint8 (M, C, H, W), at ``positions`` (N,), by default all.
    The parts of a run share one source, which all trials of a machine share as one file in memory.
    A true label may be ``UNKNOWN``; its image then counts neither as noisy nor as clean.

    ``on_host`` means that the images stay in that file, with their positions, while the labels are
    on the device that trains; batches are then gathered by a thread (see ``gathering``).

    If a sample has several inputs, the images are their records, which ``fields`` describes.
    """

    source: Pixels
    labels: Tensor
    true_labels: Tensor
    positions: Tensor | None = None
    on_host: bool = False
    fields: Fields | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Return channels, height and width of an image."""
        channels, height, width = self.source.shape[1:]
        return channels, height, width

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input, (C, H, W) of an image."""
        return tuple(self.source.shape[1:])

    def describe(self) -> str:
        """Return what each input is: its type and shape, of several inputs also their names."""
        return str(self.fields or f"{self.source.dtype} {self.input_shape}")

    @property
    def images(self) -> Tensor:
        """Return all images, uint8 (N, C, H, W): a copy unless they are the complete source."""
        return decoded(self.source if self.positions is None else self.source[self.positions])

    @property
    def image_bytes(self) -> int:
        """Return the size of ``images`` in bytes, decoded."""
        return len(self) * math.prod(self.input_shape) * self.source.dtype.itemsize

    @property
    def compressed(self) -> bool:
        """Return whether the images stay compressed and are decoded when they are needed."""
        return isinstance(self.source, CompressedImages)

    def pixels(self, which: Tensor | slice) -> Tensor:
        """Return the images at the positions ``which`` of the part, uint8, where the source is."""
        return self.source[which if self.positions is None else self.positions[which]]

    def crops(self, which: Tensor, drawn: Tensor) -> Tensor:
        """Return crops of compressed images, as ``CompressedImages.crops`` does."""
        source = self.source
        if not isinstance(source, CompressedImages):
            raise TypeError("only compressed images are cropped when they are read")
        return source.crops(which if self.positions is None else self.positions[which], drawn)

    def take(self, which: Tensor) -> Self:
        """Return the part with the images at the positions ``which``, int64 (n,), in that order."""
        there = which.to(self.source.device)
        positions = there if self.positions is None else self.positions[there]
        labels, true_labels = self.labels[which], self.true_labels[which]
        return replace(self, labels=labels, true_labels=true_labels, positions=positions)

    @property
    def noisy(self) -> Tensor:
        """Return which labels are known to be wrong: bool (N,)."""
        return (self.labels != self.true_labels) & (self.true_labels != UNKNOWN)

    @property
    def clean(self) -> Tensor:
        """Return which labels are known to be right: bool (N,)."""
        return self.labels == self.true_labels

    def to(self, device: torch.device | str, *, on_host: bool = False) -> Self:
        """Return the part with its tensors on ``device``: itself, or a copy of its own images.

        With ``on_host``, and if they are compressed, the images stay where they are, and only the
        labels are moved.
        """
        if on_host or self.compressed:
            labels, true_labels = self.labels.to(device), self.true_labels.to(device)
            return replace(self, labels=labels, true_labels=true_labels, on_host=True)
        if torch.device(device) == self.source.device:
            return self
        return type(self)(
            self.images.to(device),
            self.labels.to(device),
            self.true_labels.to(device),
            fields=self.fields,
        )


@dataclass(frozen=True)
class Splits:
    """The parts of one run.

    ``mean`` and ``std``, one value per channel for pixels in [0, 1], are those of the training
    part. Those of floating-point inputs are of the values themselves; integers have none.
    """

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def compressed(self) -> bool:
        """Return whether the images stay compressed and are decoded when they are needed."""
        return self.train.compressed

    @property
    def image_bytes(self) -> int:
        """Return the size of all images in bytes, decoded."""
        return sum(part.image_bytes for part in (self.train, self.validation, self.test))
