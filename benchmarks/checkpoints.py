"""What checkpoints cost an epoch when they are written beside the training, as trials write them.

    python benchmarks/checkpoints.py                        # ResNet-18 on 32x32 images, 4 minutes
    python benchmarks/checkpoints.py --waiting              # also waiting for each; 5 minutes
    python benchmarks/checkpoints.py --network small_cnn --json
    python benchmarks/checkpoints.py --device cuda --steps 350

Each way trains the same network on the same random images, evaluation included. A round takes a
turn of ``--epochs`` epochs of each way, in random order, and a ratio is the median over the rounds
of the times within a round. ``beside`` copies the state after an epoch and writes it while the
next one is trained; ``waiting`` goes on when it is on disk. Both are divided by epochs without
checkpoints. A turn is timed from the end of its first epoch to the end of its last one, so that
each write falls into the epoch after it. On a CPU, training computes with ``--threads``; the write
needs a core of its own.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from threading import Event

from epoch import Case, configuration, splits_of
from timing import machine, ratio
from turns import case_of, epoch_seconds, parser, show, take_turns

from tune_robust.runs.checkpoints import Checkpoints, Owner
from tune_robust.spaces.objective import Objective
from tune_robust.training import Copies, EpochResult, ahead, train

LIMITS = {"beside": "1.01"}


class Way:
    """Trains epochs of ``case``, and writes their checkpoints to ``folder`` in one way."""

    def __init__(self, name: str, case: Case, device: str, folder: Path, threads: int):
        config = configuration(case, "sam", {"dataset": "cifar10"}, threads=threads)
        self._results = train(config, device=device, splits=splits_of(config, real=False))
        self._name, self._folder, self._copies = name, folder / name, Copies()
        objective = Objective("val_accuracy", "max", "last")
        self._checkpoints = Checkpoints(self._folder, objective, Owner(None, name, config))

    def turn(self, epochs: int) -> float:
        """Train so many epochs after a first one, and return the seconds of one."""
        results = islice(self._results, epochs + 1)
        if self._name == "without":
            return epoch_seconds(results)
        if self._name == "waiting":
            return epoch_seconds(results, self._checkpoints.save)

        def snapshots(stop: Event) -> Iterator[EpochResult]:
            return (result.snapshot(self._copies) for result in results)

        return epoch_seconds(ahead(snapshots), self._checkpoints.save)

    @property
    def megabytes(self) -> float:
        """Return the size of a checkpoint."""
        return (self._folder / "last.pt").stat().st_size / 2**20


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__, batch=64, rounds=9)
    arguments.add_argument("--threads", type=int, default=1, help="of the training on a CPU")
    arguments.add_argument("--waiting", action="store_true", help="also wait for each checkpoint")
    given = arguments.parse_args()
    before, case = machine() | {"threads": given.threads}, case_of(given)
    names = ("without", "beside", *(["waiting"] if given.waiting else []))
    with tempfile.TemporaryDirectory() as folder:
        ways = {name: Way(name, case, given.device, Path(folder), given.threads) for name in names}
        seconds = take_turns({name: way.turn for name, way in ways.items()}, given)
        size = ways["beside"].megabytes
    base = seconds["without"]
    found = {name: ratio(seconds[name], base) for name in names[1:]}
    title = (
        f"{case.network}, epochs of {statistics.median(base):.2f} s, checkpoints of {size:.0f} MB"
    )
    show(title, found, len(base), given, before, LIMITS)


if __name__ == "__main__":
    main()
