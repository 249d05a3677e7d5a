"""The throughput of a trial of several processes over one process with the same cores in total.

    python benchmarks/processes.py                        # ResNet-18 on 32x32 images, two cores
    python benchmarks/processes.py --network small_cnn --json
    python benchmarks/processes.py --device cuda --processes 4 --steps 100

On the CPU, ``processes`` of one thread each are compared with one process of as many threads; on
GPUs, one process for each with one process on one GPU. Both train the same epochs with SAM,
evaluation included. A round takes a turn of ``--epochs`` epochs of each, in random order, and the
ratio is the median over the rounds of the ratios of throughput within a round. The first epoch of a
turn, with the start of its processes, is not timed.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial

from epoch import Case, configuration, splits_of
from timing import machine, ratio, show_ratios

from tune_robust.config import TrainConfig
from tune_robust.training import EpochResult, train, train_together


def seconds(results: Iterator[EpochResult], epochs: int) -> float:
    """Return the seconds of an epoch, without the first."""
    with closing(results):
        next(results)
        began = time.perf_counter()
        for _ in range(epochs):
            next(results)
        return (time.perf_counter() - began) / epochs


def turn(name: str, config: TrainConfig, processes: int, device: str, epochs: int) -> float:
    """Return the seconds of an epoch of ``config`` in one way."""
    load = partial(splits_of, config, real=False)
    if name == "several":
        on_cpu = config if device != "cpu" else config.model_copy(update={"threads": 1})
        return seconds(train_together(on_cpu, processes, load=load), epochs)
    return seconds(train(config, device=device, splits=load()), epochs)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=2, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=2, help="of a turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--json", action="store_true", help="one object: ratios, machine, n")
    given = parser.parse_args()
    on = machine() | {"device": given.device, "processes": given.processes}
    case = Case(given.network, given.batch, given.steps)
    config = configuration(case, "sam", {"dataset": "cifar10"}, threads=given.processes)
    found: dict[str, list[float]] = {"one": [], "several": []}
    for _ in range(given.rounds):
        for name in random.sample([*found], 2):
            found[name].append(turn(name, config, given.processes, given.device, given.epochs))
    throughput = ratio(found["one"], found["several"])
    if given.json:
        ratios = {"several_over_one": round(throughput.median, 4)}
        print(json.dumps({"ratios": ratios, "machine": on, "n": given.rounds}))
        return
    title = f"{case.network}, {given.processes} processes, batch {case.batch}, n = {given.rounds}"
    rows = [("several_over_one", "sam", throughput)]
    show_ratios({title: rows}, ("throughput", "method"), {}, on)


if __name__ == "__main__":
    main()
