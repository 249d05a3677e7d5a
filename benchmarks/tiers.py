"""What it costs an epoch to gather its images from the host's memory, or to decode them.

    python benchmarks/tiers.py                        # ResNet-18 on 32x32 images
    python benchmarks/tiers.py --network small_cnn --batch 32 --steps 35
    python benchmarks/tiers.py --device cuda --batch 128 --steps 100
    python benchmarks/tiers.py --json

All tiers train the same network on the same images, JPEGs of 48 to 96 pixels, evaluation included.
A ratio is the median over the rounds of the times within a round, over those of images on the
device. On a CPU, ``host`` and ``compressed`` cost a thread beside the training; on a GPU, they cost
the copies as well.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from epoch import Case, configuration, splits_of
from jpegs import write_jpegs
from timing import machine, ratio, rounds, show_ratios

from tune_robust.training import train

TIERS = ("device", "host", "compressed")
LIMITS = {"host": "1.05", "compressed": "1.05"}


def epochs_of(case: Case, device: str, directory: Path, tier: str) -> Callable[[], object]:
    """Return what trains an epoch with each call."""
    images = "compressed" if tier == "compressed" else "decoded"
    source = {"dataset": "folder", "dir": str(directory), "image_size": 32, "images": images}
    config = configuration(case, "sam", source, threads=1)
    results = train(config, device=device, splits=splits_of(config, real=True))
    with patch("tune_robust.training.loop.fits_images", lambda device, size: tier != "host"):
        next(results)  # a generator begins here
    return lambda: next(results)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=2, help="of an epoch")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1")
    parser.add_argument("--json", action="store_true", help="one object: ratios, machine, n")
    given = parser.parse_args()
    on = machine() | {"device": given.device}
    case = Case(given.network, given.batch, given.steps)
    with tempfile.TemporaryDirectory() as folder:
        images = case.batch * case.steps
        write_jpegs(Path(folder), images + images // 9 + 1, max(10, images), (48, 96))
        tasks = {tier: epochs_of(case, given.device, Path(folder), tier) for tier in TIERS}
        seconds = rounds(tasks, count=given.rounds)
    found = {tier: ratio(seconds[tier], seconds["device"]) for tier in TIERS[1:]}
    if given.json:
        ratios = {tier: round(each.median, 4) for tier, each in found.items()}
        print(json.dumps({"ratios": ratios, "machine": on, "n": len(seconds["host"])}))
        return
    epoch = statistics.median(seconds["device"])
    title = f"{case.network}, epochs of {epoch:.2f} s, n = {len(seconds['host'])}"
    rows = [(tier, "sam", each) for tier, each in found.items()]
    show_ratios({title: rows}, ("images", "method"), LIMITS, on)


if __name__ == "__main__":
    main()
