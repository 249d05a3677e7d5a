"""Images per second of compressed images beside a plain DataLoader of torchvision's transforms.

    python benchmarks/decoding.py                     # 512 JPEGs of 300 to 500 pixels, 224 px
    python benchmarks/decoding.py --workers 2 --json

Both read the same JPEGs from the same folder and make normalised float32 batches of random resized
crops, half of them mirrored. The DataLoader has ``--workers`` persistent processes, tune-robust as
many threads. A ratio above 1 means that tune-robust is faster; it is the median over the rounds of
the ratios within a round.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from jpegs import write_jpegs
from timing import machine, ratio, rounds, show_ratios
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from tune_robust.config import parse_config
from tune_robust.data import Batches, load_dataset, make_splits

LIMITS = {"images_per_second": ">= 1"}
BATCH = 64


def ours(directory: Path, size: int) -> Callable[[], None]:
    """Return what makes the batches of an epoch of compressed images."""
    given = {"dataset": "folder", "dir": str(directory), "image_size": size, "test_subset": 1}
    given |= {"images": "compressed", "validation": {"size": 1}}
    config = parse_config({"data": given}).data
    splits = make_splits(config, load_dataset(config))
    batches = Batches(
        splits.train,
        BATCH,
        augment="resized_crop_flip",
        mean=splits.mean,
        std=splits.std,
        generator=torch.Generator().manual_seed(0),
        drop_last=False,
    )

    def run() -> None:
        for _ in batches:
            pass

    return run


def plain(directory: Path, size: int, workers: int) -> Callable[[], None]:
    """Return what makes the same number of batches in the usual way."""
    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(size),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.5,) * 3, (0.25,) * 3),
        ]
    )
    loader = DataLoader(
        ImageFolder(str(directory / "train"), transform),
        BATCH,
        shuffle=True,
        num_workers=workers,
        persistent_workers=True,
    )

    def run() -> None:
        for _ in loader:
            pass

    return run


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--sides", type=int, nargs=2, default=(300, 500), metavar="PIXELS")
    parser.add_argument("--size", type=int, default=224, help="of the crops")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="one object: ratios, machine, n")
    given = parser.parse_args()
    on = machine() | {"workers": given.workers}
    torch.set_num_threads(given.workers)
    with tempfile.TemporaryDirectory() as folder:
        write_jpegs(Path(folder), given.images, 10, tuple(given.sides))
        tasks = {
            "plain": plain(Path(folder), given.size, given.workers),
            "ours": ours(Path(folder), given.size),
        }
        seconds = rounds(tasks, count=given.rounds)
    found = ratio(seconds["plain"], seconds["ours"])
    if given.json:
        ratios = {"images_per_second": round(found.median, 4)}
        print(json.dumps({"ratios": ratios, "machine": on, "n": len(seconds["ours"])}))
        return
    rate = given.images / sorted(seconds["ours"])[len(seconds["ours"]) // 2]
    title = f"{given.size} px, {rate:.0f} images/s, n = {len(seconds['ours'])}"
    rows = [("images_per_second", f"{given.workers} workers", found)]
    show_ratios({title: rows}, ("ratio", "beside a DataLoader"), LIMITS, on)


if __name__ == "__main__":
    main()
