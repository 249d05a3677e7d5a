"""Decode images to pixels, all of one size."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from tune_robust.data.progress import progress
from tune_robust.data.scratch import new_array
from tune_robust.errors import UserError

# Images per task: for small images, starting a task costs as much as decoding one.
_CHUNK = 256
# Threads halve the time of 400x500 JPEGs on two cores, but take half as long again for 32x32 ones,
# whose decoding is so short that they mostly wait for the interpreter's lock.
_BYTES_WORTH_A_THREAD = 8192
_GRAY = {"1", "L", "LA"}
_COLOUR = {"P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
_ALPHA = {"LA", "PA", "RGBA"}

Encoded = bytes | Path

_MOST_PIXELS = 64 * 10**6
"""The largest number of pixels of an image (192 MB decoded); a small file can claim any number."""
# Pillow's own limit is higher, and only a warning.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

_log = logging.getLogger(__name__)


def decode_images(
    encoded: Sequence[Encoded], places: Sequence[object], image_size: int | None = None
) -> np.ndarray:
    """Decode images (PNG, JPEG, ...) in memory or in files to uint8 (N, C, H, W).

    C is 1 if most of them are grayscale, else 3; the others are converted, which is logged, as is
    an alpha channel, which is dropped.
    ``places`` says where each image comes from. With ``image_size``, the shorter side of each image
    is scaled to this size, and the central square is cropped.

    Raises:
        UserError: an image is damaged or differs in size from the first; the message names its
            place.
    """
    height, width, _ = _decode(encoded[0], places[0], image_size).pixels.shape
    pixels = new_array((len(encoded), 3, height, width))

    def decode_from(start: int) -> tuple[int, list[int], list[int]]:
        """Return how many images were decoded, and which are in colour and have alpha."""
        end = min(start + _CHUNK, len(encoded))
        colour, alpha = [], []
        for row in range(start, end):
            image, has_alpha = _decode(encoded[row], places[row], image_size)
            if image.shape[:2] != (height, width):
                raise UserError(
                    f"{places[row]}: the image has {image.shape[1]}x{image.shape[0]} pixels, the "
                    f"first one ({places[0]}) {width}x{height}. All images must share one size: "
                    f"set data.image_size, such as {min(height, width)}, to scale and crop them."
                )
            pixels[row] = image.transpose(2, 0, 1)  # a gray image fills all channels
            if image.shape[2] == 3:
                colour.append(row)
            if has_alpha:
                alpha.append(row)
        return end - start, colour, alpha

    coloured: list[int] = []
    with_alpha: list[int] = []
    starts = range(0, len(encoded), _CHUNK)
    with (
        ThreadPoolExecutor(_threads(encoded)) as threads,
        progress("Decoding images", len(encoded)) as advance,
    ):
        for count, colour, alpha in threads.map(decode_from, starts):
            advance(count)
            coloured += colour
            with_alpha += alpha
    if with_alpha:
        _log_alpha(len(with_alpha), len(encoded), places[with_alpha[0]])
    return _of_one_mode(pixels, coloured, places)


def _of_one_mode(
    pixels: np.ndarray, coloured: Sequence[int], places: Sequence[object]
) -> np.ndarray:
    """Return ``pixels`` (N, 3, H, W) in the mode of most images.

    Rows ``coloured`` are in colour.
    """
    gray = len(pixels) - len(coloured)
    if gray > len(coloured):
        for row in coloured:
            image = Image.fromarray(pixels[row].transpose(1, 2, 0))
            pixels[row, 0] = np.asarray(image.convert("L"))
        if coloured:
            _log_converted(len(coloured), len(pixels), "colour", "grayscale", places[coloured[0]])
        gray_only = new_array((len(pixels), 1, *pixels.shape[2:]))
        gray_only[:] = pixels[:, :1]
        return gray_only
    if gray:
        first = next(row for row, known in enumerate([*coloured, -1]) if row != known)
        _log_converted(gray, len(pixels), "grayscale", "colour", places[first])
    return pixels


def _log_converted(count: int, total: int, mode: str, other: str, first: object) -> None:
    _log.warning(
        "%d of %d images %s %s, the first one %s: converted to %s, as most images are.",
        count,
        total,
        "is" if count == 1 else "are",
        mode,
        first,
        other,
    )


def _log_alpha(count: int, total: int, first: object) -> None:
    _log.warning(
        "%d of %d images %s an alpha channel, the first one %s: it is dropped, so that transparent "
        "pixels get the colour that is stored for them.",
        count,
        total,
        "has" if count == 1 else "have",
        first,
    )


class _Decoded(NamedTuple):
    """Pixels as uint8 (H, W, 1 or 3), and whether the image has transparency besides."""

    pixels: np.ndarray
    has_alpha: bool


def fitted(pixels: np.ndarray, image_size: int) -> np.ndarray:
    """Scale the shorter side of uint8 (N, C, H, W) to ``image_size`` and crop the centre."""
    if pixels.shape[2:] == (image_size, image_size):
        return pixels
    planes = pixels.reshape(pixels.shape[0] * pixels.shape[1], *pixels.shape[2:])
    scaled = np.empty((len(planes), image_size, image_size), np.uint8)
    with progress("Scaling images", len(planes)) as advance:
        for plane, row in zip(planes, scaled, strict=True):
            row[:] = np.asarray(_fitted(Image.fromarray(plane), image_size))
            advance(1)
    return scaled.reshape(*pixels.shape[:2], image_size, image_size)


def _threads(encoded: Sequence[Encoded]) -> int:
    first = encoded[0]
    size = first.stat().st_size if isinstance(first, Path) else len(first)
    return (os.cpu_count() or 1) if size > _BYTES_WORTH_A_THREAD else 1


def _fitted(image: Image.Image, image_size: int) -> Image.Image:
    return ImageOps.fit(image, (image_size, image_size), Image.Resampling.BICUBIC)


def _decode(encoded: Encoded, place: object, image_size: int | None) -> _Decoded:
    """Decode one image."""
    try:
        image: Image.Image = Image.open(encoded if isinstance(encoded, Path) else BytesIO(encoded))
        if image.width * image.height > _MOST_PIXELS:
            raise ValueError(
                f"{image.width}x{image.height} pixels, of which at most {_MOST_PIXELS:,} are read: "
                "scale it down first"
            )
        image.load()
    except Exception as error:  # the type of the error depends on the image format
        raise UserError(f"{place}: the image cannot be decoded ({error}).") from error
    if image.mode not in _GRAY | _COLOUR:
        raise UserError(
            f"{place}: the image has pixels of mode {image.mode}; allowed are 8-bit grayscale and "
            "colour. Convert it first."
        )
    has_alpha = image.mode in _ALPHA or "transparency" in image.info
    image = image.convert("L" if image.mode in _GRAY else "RGB")
    pixels = np.asarray(image if image_size is None else _fitted(image, image_size))
    return _Decoded(pixels[:, :, None] if pixels.ndim == 2 else pixels, has_alpha)
