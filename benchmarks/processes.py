"""The throughput of a trial of several processes over one process with the same cores in total.

    python benchmarks/processes.py                        # ResNet-18 on 32x32 images, 4 minutes
    python benchmarks/processes.py --network small_cnn --json
    python benchmarks/processes.py --device cuda --processes 4 --steps 100

On the CPU, ``processes`` of one thread each are compared with one process of as many threads; on
GPUs, one process for each with one process on one GPU. Both train the same epochs with SAM,
evaluation included. A round takes a turn of ``--epochs`` epochs of each, in random order, and the
ratio is the median over the rounds of the ratios of throughput within a round. The first epoch of a
turn is not timed. Processes whose turn it is not wait for the next one.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import islice

import torch
from epoch import configuration, splits_of
from timing import machine, ratio
from turns import case_of, epoch_seconds, parser, show, take_turns

from tune_robust.training import EpochResult, train, train_together


def turn(results: Iterator[EpochResult], threads: int, epochs: int) -> float:
    """Return the seconds of an epoch, computed with ``threads`` in this process."""
    torch.set_num_threads(threads)
    return epoch_seconds(islice(results, epochs + 1))


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__, batch=128, rounds=15)
    arguments.add_argument("--processes", type=int, default=2)
    given = arguments.parse_args()
    before, case = machine() | {"processes": given.processes}, case_of(given)
    config = configuration(case, "sam", {"dataset": "cifar10"}, threads=given.processes)
    load = partial(splits_of, config, real=False)
    on_cpu = given.device == "cpu"
    own = config.model_copy(update={"threads": 1}) if on_cpu else config
    with (
        closing(train(config, device=given.device, splits=load())) as one,
        closing(
            train_together(own, given.processes, load=load, device="cpu" if on_cpu else None)
        ) as several,
    ):
        ways = {
            "one": partial(turn, one, config.threads),
            "several": partial(turn, several, own.threads),
        }
        seconds = take_turns(ways, given)
    found = {"several_over_one": ratio(seconds["one"], seconds["several"])}
    epoch = statistics.median(seconds["one"])
    title = f"{case.network}, {given.processes} processes, epochs of one of {epoch:.2f} s"
    show(title, found, len(seconds["one"]), given, before, {})


if __name__ == "__main__":
    main()
