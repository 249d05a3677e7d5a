"""Train on images that, decoded, are four times as large as the private memory that is allowed.

    python benchmarks/memory.py                       # both tiers, some minutes
    python benchmarks/memory.py --tiers compressed --limit 64 --json

For each tier a process of its own starts from JPEGs and an empty cache, prepares the data set and
trains an epoch. It is ended if its private memory (that of no file) exceeds that of training on 64
images in memory by more than ``--limit`` megabytes. ``decoded`` is the file that is mapped into
memory, ``compressed`` are the JPEGs. The ratio is the private memory at its peak above that of the
64 images, relative to the size of the decoded images: what the images of a further trial on the
same machine cost. The target is at most 0.25.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import torch
from jpegs import CLASSES, write_jpegs
from timing import machine

from tune_robust.config import parse_config
from tune_robust.data import LabelledImages, Splits, load_dataset, make_splits
from tune_robust.training import train

SIZE = 224


def private_bytes() -> int:
    """Return the private memory of this process that is in use."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.findall(r"RssAnon:\s+(\d+)", status)[0])


class Peak(threading.Thread):
    """Watches the private memory, and ends the process if it exceeds ``most`` bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes, self.most = 0, math.inf

    def run(self) -> None:
        """Look every few milliseconds until the process ends."""
        while self.bytes <= self.most:
            self.bytes = max(self.bytes, private_bytes())
            time.sleep(0.02)
        print(f"private memory exceeds the limit: {self.bytes / 1e6:.0f} MB", file=sys.stderr)
        os._exit(1)


def train_limited(tier: str, directory: Path, limit: int) -> dict[str, Any]:
    """Prepare the data and train an epoch in this process, with ``limit`` more bytes."""
    config = parse_config(
        {
            "data": {
                "dataset": "folder",
                "dir": str(directory),
                "image_size": SIZE,
                "images": tier,
                "validation": {"size": 16},
                "augment": "resized_crop_flip",
            },
            "model": {"name": "small_cnn", "width": 0.1},
            "epochs": 1,
            "batch_size": 16,
            "threads": 1,
        }
    )
    few = LabelledImages(
        torch.zeros(64, 3, SIZE, SIZE, dtype=torch.uint8), *torch.zeros(2, 64, dtype=torch.int64)
    )
    classes = tuple(map(str, range(CLASSES)))
    peak = Peak()
    peak.start()
    for _ in train(config, splits=Splits(few, few, few, classes, (0.5,) * 3, (0.25,) * 3)):
        pass
    start, began = peak.bytes, time.perf_counter()
    peak.most = start + limit
    splits = make_splits(config.data, load_dataset(config.data, directory / f"cache_{tier}"))
    prepared = time.perf_counter()
    *_, result = train(config, splits=splits)
    return {
        "images": splits.image_bytes,
        "private": peak.bytes - start,
        "prepare_seconds": prepared - began,
        "images_per_second": result.metrics["images_per_second"],
    }


def measure(tier: str, directory: Path, limit: int) -> dict[str, Any]:
    """Return what ``train_limited`` finds in a process of its own."""
    command = [sys.executable, __file__, "--limited", tier, str(directory), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{tier}: failed within the limit\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--limited"]:
        tier, directory, limit = sys.argv[2:]
        print(json.dumps(train_limited(tier, Path(directory), int(limit))))
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--limit", type=int, default=96, help="megabytes (default: 96)")
    parser.add_argument("--tiers", nargs="+", default=["decoded", "compressed"])
    parser.add_argument("--json", action="store_true", help="one object: ratios, machine, n")
    given = parser.parse_args()
    limit = given.limit * 10**6
    count = -(-4 * limit // (3 * SIZE**2))
    on = machine() | {"threads": torch.get_num_threads()}
    with tempfile.TemporaryDirectory() as folder:
        write_jpegs(Path(folder), count, 16, (240, 300))
        found = {tier: measure(tier, Path(folder), limit) for tier in given.tiers}
    if given.json:
        ratios = {tier: round(each["private"] / each["images"], 4) for tier, each in found.items()}
        print(json.dumps({"ratios": ratios, "machine": on, "n": 1}))
        return
    for tier, each in found.items():
        print(
            f"{tier}: {each['images'] / 1e6:.0f} MB of images, {each['private'] / 1e6:.0f} MB "
            f"private at the peak (limit {given.limit} MB); prepared in "
            f"{each['prepare_seconds']:.0f} s, {each['images_per_second']:.0f} images/s"
        )


if __name__ == "__main__":
    main()
