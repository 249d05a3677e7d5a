"""Train on images that, decoded, are four times as large as the private memory that is allowed.

    python benchmarks/memory.py                       # both tiers, some minutes
    python benchmarks/memory.py --tiers compressed --limit 64 --json
    python benchmarks/memory.py --trials 8 --limit 32 # eight trials at the same time on one cache

For each tier, ``--trials`` processes start together from JPEGs and an empty cache; one of them
prepares the data set, and each trains an epoch. A process is ended if its private memory (that of
no file) exceeds that of training on 64 images in memory by more than ``--limit`` megabytes.
``decoded`` is the file that is mapped into memory, ``compressed`` are the JPEGs. The ratio is the
largest private memory of a process at its peak above that of the 64 images, relative to the size of
the decoded images: what the images of a further trial on the same machine cost. The target is at
most 0.25. ``mapped`` is what all processes together hold of files in the cache (the sum of their
proportional set sizes), relative to the same size: 1 if they share one copy.
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


def mapped_bytes(directory: Path) -> int:
    """Return this process's part of what is in memory of mapped files in ``directory``.

    A page that n processes have mapped counts as one n-th (Linux's proportional set size).
    """
    mappings = re.split(
        r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.M
    )
    sizes = [
        re.findall(r"^Pss:\s+(\d+)", mapping, re.M)
        for mapping in mappings
        if f"{directory}/" in mapping.partition("\n")[0]
    ]
    return 1024 * sum(int(size) for (size,) in sizes)


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
    """Prepare the data and train an epoch in this process, with ``limit`` more bytes.

    It then waits for a line, so that all processes have their images in memory when they look.
    """
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
    cache = directory / f"cache_{tier}"
    splits = make_splits(config.data, load_dataset(config.data, cache))
    prepared = time.perf_counter()
    *_, result = train(config, splits=splits)
    print("trained", flush=True)
    sys.stdin.readline()
    return {
        "images": splits.image_bytes,
        "private": peak.bytes - start,
        "mapped": mapped_bytes(cache),
        "prepare_seconds": prepared - began,
        "images_per_second": result.metrics["images_per_second"],
    }


def measure(tier: str, directory: Path, limit: int, trials: int) -> list[dict[str, Any]]:
    """Return what ``train_limited`` finds in ``trials`` processes at the same time."""
    command = [sys.executable, __file__, "--limited", tier, str(directory), str(limit)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(trials)]
    try:
        for process in processes:
            if process.stdout.readline() != "trained\n":
                sys.exit(f"{tier}: a process failed within the limit; its error is above.")
        for process in processes:
            process.stdin.write("look\n")
            process.stdin.flush()
        return [json.loads(process.stdout.readline()) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def ratios(found: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """Return private and mapped memory over the size of the images, by tier."""
    by_name = {}
    for tier, trials in found.items():
        images = trials[0]["images"]
        by_name[tier] = max(trial["private"] for trial in trials) / images
        by_name[f"{tier}_mapped"] = sum(trial["mapped"] for trial in trials) / images
    return {name: round(ratio, 4) for name, ratio in by_name.items()}


def describe(tier: str, trials: list[dict[str, Any]], limit: int) -> str:
    """Return a line on the processes of a tier."""
    images, mapped = trials[0]["images"], sum(trial["mapped"] for trial in trials)
    private = [trial["private"] / 1e6 for trial in trials]
    rate = sum(trial["images_per_second"] for trial in trials)
    return (
        f"{tier}: {images / 1e6:.0f} MB of images, {min(private):.0f} to {max(private):.0f} MB "
        f"private at the peak in each of {len(trials)} (limit {limit} MB), {mapped / 1e6:.0f} MB "
        f"mapped by all together; prepared in {trials[0]['prepare_seconds']:.0f} s, "
        f"{rate:.0f} images/s"
    )


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--limited"]:
        tier, directory, limit = sys.argv[2:]
        print(json.dumps(train_limited(tier, Path(directory), int(limit))), flush=True)
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--limit", type=int, default=96, help="megabytes (default: 96)")
    parser.add_argument("--tiers", nargs="+", default=["decoded", "compressed"])
    parser.add_argument("--trials", type=int, default=1, help="processes at the same time")
    parser.add_argument("--json", action="store_true", help="one object: ratios, machine, n")
    given = parser.parse_args()
    limit = given.limit * 10**6
    count = -(-4 * limit // (3 * SIZE**2))
    on = machine() | {"threads": torch.get_num_threads(), "trials": given.trials}
    with tempfile.TemporaryDirectory() as folder:
        write_jpegs(Path(folder), count, 16, (240, 300))
        found = {tier: measure(tier, Path(folder), limit, given.trials) for tier in given.tiers}
    if given.json:
        print(json.dumps({"ratios": ratios(found), "machine": on, "n": 1}))
        return
    for tier, trials in found.items():
        print(describe(tier, trials, given.limit))


if __name__ == "__main__":
    main()
