"""Train in several ways, some epochs of each in turn, and compare the seconds of an epoch."""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from epoch import Case
from timing import Ratio, machine, show_ratios

from tune_robust.training import EpochResult

Turn = Callable[[int], float]
"""Trains so many epochs after one that is not timed, and returns the seconds of each."""


def parser(description: str, *, batch: int, rounds: int) -> argparse.ArgumentParser:
    """Return a parser of the arguments of such a benchmark."""
    made = argparse.ArgumentParser(description=description.partition("\n")[0])
    made.add_argument("--network", default="resnet18")
    made.add_argument("--batch", type=int, default=batch)
    made.add_argument("--steps", type=int, default=2, help="of an epoch")
    made.add_argument("--epochs", type=int, default=3, help="timed in a turn, after another one")
    made.add_argument("--rounds", type=int, default=rounds, help="at most")
    made.add_argument("--seconds", type=float, default=170, help="no round begins after so many")
    made.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1")
    made.add_argument("--json", action="store_true", help="one object: ratios, machine, n")
    return made


def case_of(given: argparse.Namespace) -> Case:
    """Return the network, batch size and steps that were given."""
    return Case(given.network, given.batch, given.steps)


def epoch_seconds(
    results: Iterable[EpochResult], after: Callable[[EpochResult], object] = lambda result: None
) -> float:
    """Return the mean seconds of the epochs but the first, with what was done ``after`` it.

    ``after`` is called with each result; the last of these calls is not timed.
    """
    ended = []
    for result in results:
        ended.append(time.perf_counter())
        after(result)
    return (ended[-1] - ended[0]) / (len(ended) - 1)


def take_turns(ways: Mapping[str, Turn], given: argparse.Namespace) -> dict[str, list[float]]:
    """Return the seconds of an epoch of each way in each round, after a turn of warm-up.

    A round takes a turn of each way in random order, so that whatever slows the machine for a while
    slows all of them. There are two rounds at least.
    """
    began = time.perf_counter()
    for turn in ways.values():
        turn(1)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for done in range(given.rounds):
        if done >= 2 and time.perf_counter() - began > given.seconds:
            break
        for name in random.sample([*ways], len(ways)):
            seconds[name].append(ways[name](given.epochs))
    return seconds


def show(
    title: str,
    found: Mapping[str, Ratio],
    n: int,
    given: argparse.Namespace,
    before: Mapping[str, Any],
    limits: Mapping[str, str],
) -> None:
    """Print the ratios of ``n`` rounds as a table or as JSON.

    ``before``: the ``machine()`` as it was before the measurement; ``limits``: by name of a ratio.
    """
    on = {**before, "device": given.device, "load_after": machine()["load"]}
    if given.json:
        ratios = {name: round(spread.median, 4) for name, spread in found.items()}
        print(json.dumps({"ratios": ratios, "machine": on, "n": n}))
        return
    rows = [(name, "sam", spread) for name, spread in found.items()]
    show_ratios({f"{title}, n = {n}": rows}, ("way", "method"), limits, on)
