"""A folder of JPEGs of mixed sizes, of classes that a network can learn, as a user has them.

python benchmarks/jpegs.py ~/folder_large                     # 20,000 of 64 to 160 pixels
python benchmarks/jpegs.py ~/jpegs --images 2000 --sides 300 500
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 10


def write_jpegs(
    directory: Path, train: int, test: int, sides: tuple[int, int], *, seed: int = 0
) -> None:
    """Write ``train`` and ``test`` images in the layout of ``data.dataset: folder``.

    Each side has a random length in ``sides``. A class is a pattern of 4x4 coloured fields; its
    images differ from it by coarse and by fine noise.
    """
    random = np.random.default_rng(seed)
    patterns = random.integers(0, 256, (CLASSES, 4, 4, 3))
    for part, count in (("train", train), ("test", test)):
        for label in range(CLASSES):
            (directory / part / str(label)).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            label = number % CLASSES
            fields = patterns[label] + random.normal(0, 60, (4, 4, 3))
            fields = fields.clip(0, 255).astype(np.uint8)
            width, height = random.integers(*sides, 2, endpoint=True).tolist()
            image = Image.fromarray(fields).resize((width, height), Image.Resampling.BICUBIC)
            grain = random.integers(-20, 21, (height, width, 1), dtype=np.int16)
            pixels = (np.asarray(image, np.int16) + grain).clip(0, 255).astype(np.uint8)
            path = directory / part / str(label) / f"{number:06}.jpg"
            Image.fromarray(pixels).save(path, quality=90)


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--images", type=int, default=20_000, help="for training; a tenth for test")
    parser.add_argument("--sides", type=int, nargs=2, default=(64, 160), metavar="PIXELS")
    given = parser.parse_args()
    write_jpegs(given.directory, given.images, given.images // 10, tuple(given.sides))


if __name__ == "__main__":
    main()
