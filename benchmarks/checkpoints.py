"""What checkpoints cost an epoch: written beside the training, as trials do, and waited for.

    python benchmarks/checkpoints.py                        # ResNet-18 on 32x32 images
    python benchmarks/checkpoints.py --network small_cnn --json
    python benchmarks/checkpoints.py --device cuda --steps 350

Each way trains the same network on the same random images, evaluation included. A round takes a
turn of ``--epochs`` epochs of each way, in random order, and a ratio is the median over the rounds
of the times within a round. ``beside`` copies the state after an epoch and writes it while the
next one is trained; ``waiting`` goes on when it is on disk. Both are divided by epochs without
checkpoints. A turn is timed from the end of its first epoch to the end of its last one, so that
each write falls into the epoch after it.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from threading import Event

from epoch import Case, configuration, splits_of
from timing import machine, ratio, show_ratios

from tune_robust.runs.checkpoints import Checkpoints, Owner
from tune_robust.spaces.objective import Objective
from tune_robust.training import EpochResult, ahead, train

LIMITS = {"beside": "1.01"}
WAYS = ("without", "beside", "waiting")


class Way:
    """Trains epochs of ``case``, and writes their checkpoints to ``folder`` in one way."""

    def __init__(self, name: str, case: Case, device: str, folder: Path, threads: int):
        config = configuration(case, "sam", {"dataset": "cifar10"}, threads=threads)
        self._results = train(config, device=device, splits=splits_of(config, real=False))
        self._name, self._folder = name, folder / name
        objective = Objective("val_accuracy", "max", "last")
        self._checkpoints = Checkpoints(self._folder, objective, Owner(None, name, config))

    def turn(self, epochs: int) -> float:
        """Train so many epochs after a first one, and return the seconds of one."""
        results = self._beside if self._name == "beside" else self._one_by_one
        for number, result in enumerate(results(epochs + 1)):
            if number == 0:
                began = time.perf_counter()
            ended = time.perf_counter()
            if self._name != "without":
                self._checkpoints.save(result)
        return (ended - began) / epochs

    def _one_by_one(self, epochs: int) -> Iterator[EpochResult]:
        return islice(self._results, epochs)

    def _beside(self, epochs: int) -> Iterator[EpochResult]:
        def snapshots(stop: Event) -> Iterator[EpochResult]:
            for result in self._one_by_one(epochs):
                yield result.snapshot()

        return ahead(snapshots)

    @property
    def megabytes(self) -> float:
        """Return the size of a checkpoint."""
        return (self._folder / "last.pt").stat().st_size / 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=2, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=4, help="of a turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of the training on a CPU")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1")
    parser.add_argument("--json", action="store_true", help="one object: ratios, machine, n")
    given = parser.parse_args()
    on = machine() | {"device": given.device, "threads": given.threads}
    case = Case(given.network, given.batch, given.steps)
    with tempfile.TemporaryDirectory() as folder:
        ways = {name: Way(name, case, given.device, Path(folder), given.threads) for name in WAYS}
        seconds: dict[str, list[float]] = {name: [] for name in WAYS}
        for done in range(given.rounds + 1):
            for name in random.sample(WAYS, len(WAYS)):
                one = ways[name].turn(given.epochs)
                seconds[name] += [one] * (done > 0)  # the first round warms up
        size = ways["waiting"].megabytes
    found = {name: ratio(seconds[name], seconds["without"]) for name in WAYS[1:]}
    if given.json:
        ratios = {name: round(spread.median, 4) for name, spread in found.items()}
        print(json.dumps({"ratios": ratios, "machine": on, "n": given.rounds}))
        return
    epoch = statistics.median(seconds["without"])
    title = f"{case.network}, epochs of {epoch:.2f} s, checkpoints of {size:.0f} MB"
    rows = [(name, "sam", spread) for name, spread in found.items()]
    show_ratios({f"{title}, n = {given.rounds}": rows}, ("way", "method"), LIMITS, on)


if __name__ == "__main__":
    main()
