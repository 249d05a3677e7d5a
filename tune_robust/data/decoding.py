"""Decode images to pixels, all of one size."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from tune_robust.data.progress import progress
from tune_robust.data.scratch import flush, kept_array, new_array
from tune_robust.errors import UserError

# Images per task: for small images, starting a task costs as much as decoding one.
_CHUNK = 256
# Threads halve the time of 400x500 JPEGs on two cores, but take half as long again for 32x32 ones,
# whose decoding is so short that they mostly wait for the interpreter's lock.
_BYTES_WORTH_A_THREAD = 8192
_GRAY = {"1", "L", "LA"}
_COLOUR = {"P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
_ALPHA = {"LA", "PA", "RGBA"}

_MOST_PIXELS = 64 * 10**6
"""The largest number of pixels of an image (192 MB decoded); a small file can claim any number."""
# Pillow's own limit is higher, and only a warning.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

_log = logging.getLogger(__name__)


def decode_images(
    encoded: Sequence[bytes], places: Sequence[object], image_size: int | None = None
) -> np.ndarray:
    """Decode images (PNG, JPEG, ...) to uint8 (N, C, H, W).

    C is 1 if most of them are grayscale, else 3; the others are converted, which is logged, as is
    an alpha channel, which is dropped.
    ``places`` says where each image comes from. With ``image_size``, the shorter side of each image
    is scaled to this size, and the central square is cropped.

    Inside ``large_arrays_in``, images that an earlier process has decoded are not decoded again.

    Raises:
        UserError: an image is damaged or differs in size from the first; the message names its
            place.
    """
    count = len(encoded)
    height, width, _ = decode_image(encoded[0], places[0], image_size).pixels.shape
    image_bytes = 3 * height * width
    buffer = kept_array("pixels", (count * (image_bytes + 1),))
    pixels = buffer[: count * image_bytes].reshape(count, 3, height, width)

    def keep(row: int, image: np.ndarray) -> None:
        if image.shape[:2] != (height, width):
            raise UserError(
                f"{places[row]}: the image has {image.shape[1]}x{image.shape[0]} pixels, the "
                f"first one ({places[0]}) {width}x{height}. All images must share one size: "
                f"set data.image_size, such as {min(height, width)}, to scale and crop them."
            )
        pixels[row] = image.transpose(2, 0, 1)  # a gray image fills all channels

    modes = buffer[count * image_bytes :]
    decode_each(encoded, places, image_size, modes, keep, lambda: flush(buffer))
    return _of_one_mode(pixels, modes, places)


GRAY, COLOUR, ALPHA = 1, 2, 4
"""The bits of the mode of a decoded image; 0 is one that has not been decoded."""


def decode_each(
    encoded: Sequence[bytes],
    places: Sequence[object],
    image_size: int | None,
    modes: np.ndarray,
    keep: Callable[[int, np.ndarray], None],
    save: Callable[[], None],
) -> None:
    """Decode all images with a mode of 0 in several threads, and set their modes (N,).

    Args:
        encoded, places, image_size: as of ``decode_images``.
        modes: the mode of each image, set after it was kept.
        keep: called with the row and the pixels, uint8 (H, W, 1 or 3), of each image.
        save: called before the modes of some images are set.
    """

    def decode_from(start: int) -> int:
        """Decode some images and return their number."""
        rows = range(start, min(start + _CHUNK, len(encoded)))
        found = {}
        for row in rows:
            if modes[row] == 0:
                image, has_alpha = decode_image(encoded[row], places[row], image_size)
                keep(row, image)
                found[row] = (COLOUR if image.shape[2] == 3 else GRAY) | ALPHA * has_alpha
        save()
        for row, mode in found.items():
            modes[row] = mode
        return len(rows)

    starts = range(0, len(encoded), _CHUNK)
    with (
        ThreadPoolExecutor(_threads(encoded)) as threads,
        progress("Decoding images", len(encoded)) as advance,
    ):
        try:
            for count in threads.map(decode_from, starts):
                advance(count)
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    with_alpha = np.flatnonzero(modes & ALPHA)
    if len(with_alpha):
        _log_alpha(len(with_alpha), len(encoded), places[int(with_alpha[0])])


def channels_of(modes: np.ndarray, places: Sequence[object]) -> int:
    """Return 1 if most images of ``modes`` (N,) are grayscale, else 3, and log the exceptions."""
    gray = modes & COLOUR == 0
    count, total = int(gray.sum()), len(modes)
    if count > total - count:
        if count < total:
            first = places[int(np.argmin(gray))]
            _log_converted(total - count, total, "colour", "grayscale", first)
        return 1
    if count:
        _log_converted(count, total, "grayscale", "colour", places[int(np.argmax(gray))])
    return 3


def in_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """Return an image, uint8 (H, W, 1 or 3), with 1 or 3 ``channels``."""
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return np.broadcast_to(image, (*image.shape[:2], 3))
    return np.asarray(Image.fromarray(image).convert("L"))[:, :, None]


def _of_one_mode(pixels: np.ndarray, modes: np.ndarray, places: Sequence[object]) -> np.ndarray:
    """Return ``pixels`` (N, 3, H, W) in the mode of most images."""
    if channels_of(modes, places) == 3:
        return pixels
    # Not in place: a process that goes on after this one was killed finds the colours again.
    gray_only = new_array((len(pixels), 1, *pixels.shape[2:]))
    gray_only[:] = pixels[:, :1]
    for row in np.flatnonzero(modes & COLOUR):
        gray_only[row] = in_channels(pixels[row].transpose(1, 2, 0), 1).transpose(2, 0, 1)
    return gray_only


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


class Decoded(NamedTuple):
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


def _threads(encoded: Sequence[bytes]) -> int:
    return (os.cpu_count() or 1) if len(encoded[0]) > _BYTES_WORTH_A_THREAD else 1


def _fitted(image: Image.Image, image_size: int) -> Image.Image:
    return ImageOps.fit(image, (image_size, image_size), Image.Resampling.BICUBIC)


def decode_image(
    encoded: bytes,
    place: object,
    image_size: int | None = None,
    enough: Callable[[int, int], tuple[int, int]] | None = None,
) -> Decoded:
    """Decode an image, and fit it to ``image_size`` as ``decode_images`` does.

    ``enough`` is called with the width and the height of the image, and returns those that suffice:
    a JPEG is decoded at 1/2, 1/4 or 1/8 of its size if that is not smaller, which takes less time.

    Raises:
        UserError: it is damaged, too large or of a mode that is not read.
    """
    try:
        image: Image.Image = Image.open(BytesIO(encoded))
        if image.width * image.height > _MOST_PIXELS:
            raise ValueError(
                f"{image.width}x{image.height} pixels, of which at most {_MOST_PIXELS:,} are read: "
                "scale it down first"
            )
        if enough is not None:
            image.draft(None, enough(*image.size))
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
    return Decoded(pixels[:, :, None] if pixels.ndim == 2 else pixels, has_alpha)
