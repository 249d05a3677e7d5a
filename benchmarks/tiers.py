"""What it costs an epoch to gather its images from the host's memory, a thread reading ahead.

    python benchmarks/tiers.py                        # ResNet-18 on 32x32 images
    python benchmarks/tiers.py --network small_cnn --batch 32 --steps 35
    python benchmarks/tiers.py --device cuda --batch 128 --steps 100
    python benchmarks/tiers.py --json

Both ways train the same network on the same random images, evaluation included; a ratio is the
median over the rounds of the times within a round. On a CPU, ``host`` costs a thread beside the
training; on a GPU, it costs the copies as well.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from unittest.mock import patch

from epoch import Case, configuration, splits_of
from timing import machine, ratio, rounds, show_ratios

from tune_robust.training import train

LIMITS = {"host": "1.05"}


def epochs_of(case: Case, device: str, *, on_host: bool) -> Callable[[], object]:
    """Return what trains an epoch with each call."""
    config = configuration(case, "sam", {"dataset": "cifar10"}, threads=1)
    results = train(config, device=device, splits=splits_of(config, real=False))
    with patch("tune_robust.training.loop.fits_images", lambda device, size: not on_host):
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
    tasks = {
        name: epochs_of(case, given.device, on_host=name == "host") for name in ("device", "host")
    }
    seconds = rounds(tasks, count=given.rounds)
    found = ratio(seconds["host"], seconds["device"])
    if given.json:
        ratios = {"host": round(found.median, 4)}
        print(json.dumps({"ratios": ratios, "machine": on, "n": len(seconds["host"])}))
        return
    epoch = statistics.median(seconds["device"])
    title = f"{case.network}, epochs of {epoch:.2f} s, n = {len(seconds['host'])}"
    show_ratios({title: [("host", "sam", found)]}, ("images", "method"), LIMITS, on)


if __name__ == "__main__":
    main()
