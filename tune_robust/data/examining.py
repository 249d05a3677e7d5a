"""Examine images that stay compressed, once for all trials, and store what is known of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from tune_robust.data import cache
from tune_robust.data.compressed import CompressedImages
from tune_robust.data.decoding import (
    COLOUR,
    channels_of,
    decode_each,
    decode_image,
    in_channels,
)
from tune_robust.data.encoded import Encoded, Index, Places
from tune_robust.data.images import Dataset, Images
from tune_robust.data.scratch import flush, kept_array


class Examined(NamedTuple):
    """What is known of N images: the ``size`` of their sides when they are decoded, their
    ``channels``, 1 or 3, and their ``moments`` at that size, int64 (N, 2, C)."""

    size: int
    channels: int
    moments: np.ndarray


def examine(index: Index, size: int) -> Examined:
    """Decode each image once, to find damaged ones and the moments of all.

    Inside ``large_arrays_in``, images that an earlier process has examined are not decoded again.

    Raises:
        UserError: an image is damaged; the message names it.
    """
    images, places = index.images, Places(index.images)
    table = kept_array("moments", (len(images), 7), np.int64, small=True)
    moments, modes = table[:, :6].reshape(-1, 2, 3), table[:, 6]

    def keep(row: int, image: np.ndarray) -> None:
        moments[row] = _moments(image)

    decode_each(images, places, size, modes, keep, lambda: flush(table))
    channels = channels_of(modes, places)
    if channels == 1:
        moments = moments.copy()
        for row in np.flatnonzero(modes & COLOUR).tolist():
            image = decode_image(images[row], places[row], size).pixels
            moments[row] = _moments(in_channels(image, 1))
    return Examined(size, channels, np.ascontiguousarray(moments[:, :, :channels]))


def _moments(image: np.ndarray) -> np.ndarray:
    """Return the sums of pixels (H, W, C) and of their squares, int64 (2, C)."""
    squares = np.square(image, dtype=np.uint16)
    return np.stack([each.sum((0, 1), dtype=np.int64) for each in (image, squares)])


def compressed(index: Index, known: Examined) -> Dataset:
    """Return the data set of images that stay compressed; the test images may be none."""

    def part(rows: range) -> Images:
        images = CompressedImages(index.images, rows, known.channels, known.size)
        return Images(images, labels[rows.start : rows.stop])

    labels, rows = torch.from_numpy(index.labels), range(len(index.labels))
    moments = torch.from_numpy(known.moments[: index.train])
    train, test = part(rows[: index.train]), part(rows[index.train :])
    return Dataset(train._replace(moments=moments), test, index.classes)


def write(path: Path, index: Index, known: Examined, files: Sequence[Path]) -> None:
    """Store what ``examine`` has found, for those who may read ``files``; as ``cache.write``."""
    images = index.images
    tensors = {
        "text": images.text,
        "ends": images.ends,
        "ranges": images.ranges,
        "labels": index.labels,
        "moments": known.moments,
    }
    others = {
        "classes": index.classes,
        "train": index.train,
        "row": images.row,
        "places": images.places,
        "channels": known.channels,
        "size": known.size,
    }
    arrays = {name: torch.from_numpy(np.array(array)) for name, array in tensors.items()}
    cache.write_tensors(path, arrays, {"others": json.dumps(others)}, files)


def read(path: Path) -> Dataset | None:
    """Return the data set that was stored at ``path``; None if it is absent or damaged."""
    found = cache.read_tensors(path)
    if found is None:
        return None
    arrays = {name: tensor.numpy() for name, tensor in found[0].items()}
    others = json.loads(found[1]["others"])
    encoded = Encoded(
        arrays["text"], arrays["ends"], arrays["ranges"], others["row"], tuple(others["places"])
    )
    index = Index(encoded, arrays["labels"], others["train"], tuple(others["classes"]))
    dataset = compressed(index, Examined(others["size"], others["channels"], arrays["moments"]))
    return dataset._replace(train=dataset.train._replace(index_file=path))
