"""How long an epoch takes: eager, compiled, recorded; beside the usual script and bare passes.

Networks, images and the peer are those of ``benchmarks/epoch.py``.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from rows import Bench, Row, checked, finish

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from epoch import METHODS, Case, bare_epoch, configuration, one_pass, peer_epoch, splits_of
from timing import rounds

from tune_robust.config import TrainConfig
from tune_robust.data import Splits
from tune_robust.training import train
from tune_robust.training.device import memory_format
from tune_robust.training.graphs import cuda_graphs

PART = "epoch"
WAYS = {
    "eager": {},
    "recorded": {"cuda_graphs": True},
    "compiled": {"compile": True},
    "compiled, recorded": {"compile": True, "cuda_graphs": True},
}
TARGETS = {("resnet18", "sam", "recorded"): 2.0}
"""Seconds that an epoch of training may take on an H200."""


def epochs(bench: Bench) -> Iterator[Row]:
    """Per network, what each way of each method takes; a way that fails is a row of its own."""
    case_of = {"resnet18": (128, 351), "resnet32": (128, 351), "small_cnn": (16, 2)}
    chosen = (bench.network,) if bench.network else ("resnet18", "resnet32")
    for network in ("small_cnn",) if bench.quick else chosen:
        yield from _network(bench, Case(network, *case_of[network]))


def _network(bench: Bench, case: Case) -> Iterator[Row]:
    configs = {m: configuration(case, m, {"dataset": "cifar10"}, 1) for m in METHODS}
    splits = splits_of(configs["sgd"], real=False)
    tasks: dict[str, Callable[[], Any]] = {}
    for method, way in _cells(bench):
        name = f"{method}, {way}"
        config = configs[method].model_copy(update=WAYS[way])
        results = train(config, device=str(bench.device), splits=splits)
        ready = checked(PART, f"{case.network}: {name}", "trains", lambda r=results: _begun(r))
        if not ready.passed:
            yield ready
            continue
        tasks[name] = lambda r=results: next(r)
    tasks["bare passes"] = bare_epoch(configs["sgd"], splits, bench.device)
    tasks["bare passes, recorded"] = _recorded(bench, configs["sgd"], splits)
    if not bench.quick:
        tasks |= {
            f"{m}, usual script": peer_epoch(configs[m], splits, bench.device, method=m, workers=2)
            for m in ("sgd", "sam")
        }
    yield from _rows(bench, case, tasks)


def _cells(bench: Bench) -> list[tuple[str, str]]:
    methods = ("sam",) if bench.quick else METHODS
    ways = WAYS if bench.cuda else ("eager",)
    return [(method, way) for method in methods for way in ways]


def _begun(results: Iterator[Any]) -> tuple[str, bool]:
    return f"loss {next(results).metrics['train_loss']:.3f}", True


def _recorded(bench: Bench, config: TrainConfig, splits: Splits) -> Callable[[], None]:
    """As many forward and backward passes as an epoch has steps, replayed and nothing else."""
    from epoch import network

    device, steps = bench.device, len(splits.train) // config.batch_size
    model = network(config, splits, device)
    inputs = torch.randn(config.batch_size, *splits.train.image_shape, device=device)
    inputs = inputs.contiguous(memory_format=memory_format(config))
    labels = torch.randint(0, 10, (config.batch_size,), device=device)

    def operations() -> None:
        one_pass(config, model, inputs, labels)

    graphs, replay = cuda_graphs(device), operations
    if graphs is not None:
        with graphs.beside():
            for _ in range(3):
                operations()
        replay, _ = graphs.record(operations)

    def run() -> None:
        for _ in range(steps):
            replay()

    return run


def _rows(bench: Bench, case: Case, tasks: dict[str, Callable[[], Any]]) -> Iterator[Row]:
    finished = {name: _finished(bench, task, case) for name, task in tasks.items()}
    count = 1 if bench.quick else 5
    seconds = rounds(finished, count=count, turn_seconds=0, at_most=240.0)
    bare = seconds["bare passes, recorded"]
    for name, times in seconds.items():
        method, _, way = name.partition(", ")
        median = statistics.median(times)
        passes = 2 if method in ("sam", "saner") else 1
        over = statistics.median(t / (passes * b) for t, b in zip(times, bare, strict=True))
        spread = f"{min(times):.2f} to {max(times):.2f}, n = {len(times)}"
        found = f"{median:.2f} s ({spread}), {over:.2f} x its recorded passes"
        target = TARGETS.get((case.network, method, way)) if bench.cuda else None
        allowed = f"{target:g} s, 1.05 x" if target else ""
        passed = median <= target and over <= 1.05 if target else None
        yield Row(PART, f"{case.network}: {name}", found, allowed, passed)


def _finished(bench: Bench, task: Callable[[], Any], case: Case) -> Callable[[], None]:
    def run() -> None:
        task()
        finish(bench.device)

    return run
