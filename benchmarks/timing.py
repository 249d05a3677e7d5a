"""Times of things done in turn, so that what slows the machine slows all of them alike."""

from __future__ import annotations

import gc
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.table import Table

Task = Callable[[], object]


class Ratio(NamedTuple):
    """Of paired times: the median over the rounds, and its middle half."""

    median: float
    low: float
    high: float


def rounds(
    tasks: Mapping[str, Task], *, count: int, turn_seconds: float = 0.05, at_most: float = 300.0
) -> dict[str, list[float]]:
    """Seconds of each task in each of ``count`` rounds, two rounds of warm-up before them.

    A round does every task once, in an order of its own; a task is repeated within its turn for
    about ``turn_seconds``, as a training would repeat it, and its time is that of one repetition.
    After ``at_most`` seconds there are no more rounds, but five there always are.
    """
    order = random.Random(0)
    for task in tasks.values():
        task()
    repeats = {name: max(1, round(turn_seconds / _timed(task))) for name, task in tasks.items()}
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    gc.collect()
    gc.disable()
    try:
        began = time.perf_counter()
        for done in range(count):
            if done >= min(5, count) and time.perf_counter() - began > at_most:
                break
            for name in order.sample(list(tasks), len(tasks)):
                seconds[name].append(_timed(tasks[name], repeats[name]))
    finally:
        gc.enable()
    return seconds


def _timed(task: Task, repeats: int = 1) -> float:
    began = time.perf_counter()
    for _ in range(repeats):
        task()
    return (time.perf_counter() - began) / repeats


def ratio(times: list[float], base: list[float]) -> Ratio:
    """``times`` over ``base``, round by round."""
    low, median, high = statistics.quantiles((t / b for t, b in zip(times, base, strict=True)), n=4)
    return Ratio(median, low, high)


def show_ratios(
    tables: Mapping[str, Iterable[tuple[str, str, Ratio]]],
    names: tuple[str, str],
    limits: Mapping[str, str],
    on: Mapping[str, Any],
) -> None:
    """For a person: tables by title, what the first two columns are, limits by the first's, ``on``
    what it was measured.
    """
    console = Console()
    for title, rows in tables.items():
        table = Table(title=title)
        for column in (*names, "median", "middle half", "limit"):
            table.add_column(column)
        for what, other, found in rows:
            spread = f"{found.low:.3f} to {found.high:.3f}"
            table.add_row(what, other, f"{found.median:.3f}", spread, limits.get(what, ""))
        console.print(table)
    console.print(", ".join(f"{key} {value}" for key, value in on.items()))


def machine() -> dict[str, Any]:
    """What the times were taken on, and how busy it was when they began."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
