"""Time tasks in turn, so that whatever slows the machine slows all of them equally."""

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
    """The median of paired ratios over the rounds, and their interquartile range."""

    median: float
    low: float
    high: float


def rounds(
    tasks: Mapping[str, Task], *, count: int, turn_seconds: float = 0.05, at_most: float = 300.0
) -> dict[str, list[float]]:
    """Return the seconds of each task in each of ``count`` rounds, after two rounds of warm-up.

    A round runs every task once, in random order; within its turn a task is repeated for about
    ``turn_seconds``, as in training, and its time is that of one repetition. After ``at_most``
    seconds no further round begins, but there are always at least five.
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
    """Return ``times`` over ``base``, by round."""
    low, median, high = statistics.quantiles((t / b for t, b in zip(times, base, strict=True)), n=4)
    return Ratio(median, low, high)


def show_ratios(
    tables: Mapping[str, Iterable[tuple[str, str, Ratio]]],
    names: tuple[str, str],
    limits: Mapping[str, str],
    on: Mapping[str, Any],
) -> None:
    """Print tables of ratios.

    ``tables``: the rows by title; ``names``: what the first two columns are; ``limits``: the limit
    by the first column's value; ``on``: the machine that was measured.
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
    """Return the machine of the measurement, and its load at the beginning."""
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
