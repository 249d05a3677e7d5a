"""The waiting time for the command's help, a list of spaces, and the first trial of a search.

    python benchmarks/start_up.py            # five of each, in turn: two minutes
    python benchmarks/start_up.py --quick    # one of each
    python benchmarks/start_up.py --json

``first_trial`` is the time from the command to the first step of the first trial of a search on
digits, and ``stages`` are its parts: ``preparing`` (imports, the space, decoding and splitting the
data, a check that the network fits it) until the line that says that Ray starts, ``starting Ray``
until the line that says how many trials there are, ``proposing`` until the ``start`` event, ``the
trial's process`` (Ray starts it, it imports PyTorch and reads the data) until the first step.

The peers are measured in the same rounds: ``bare_ray`` starts Ray and one actor that imports
PyTorch; ``bare_python`` starts Python and imports nothing. ``ratios`` are relative to these.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from timing import machine

COMMAND = [sys.executable, "-m", "tune_robust"]
LIMITS = {"help": 0.5, "spaces_list": 1.0, "first_trial": 12.0}
"""Seconds."""
BARE_RAY = """
import ray
ray.init(include_dashboard=True, logging_level="error")

@ray.remote
class Process:
    def ready(self):
        import torch

ray.get(Process.remote().ready.remote())
"""


def main() -> None:
    """Measure everything in turn, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one of each")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    tasks: dict[str, Callable[[], dict[str, float]]] = {
        "bare_python": lambda: _run([sys.executable, "-c", ""]),
        "help": lambda: _run([*COMMAND, "--help"]),
        "spaces_list": lambda: _run([*COMMAND, "spaces", "list"]),
        "bare_ray": lambda: _run([sys.executable, "-c", BARE_RAY]),
        "first_trial": _first_trial,
    }
    count = 1 if arguments.quick else 5
    before = machine()
    rounds = [{name: task() for name, task in tasks.items()} for _ in range(count)]
    document = _document(rounds, before)
    print(json.dumps(document, indent=2)) if arguments.json else _print(document)


def _run(command: list[str]) -> dict[str, float]:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=_environment())
    return {"seconds": time.perf_counter() - began}


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}


def _first_trial() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--space", "saner_digits", "--trials", "1", "--set", "train.epochs=1"]
        arguments += ["--storage", folder, "--name", "r", "--set", "baselines=[]"]
        began = time.time()
        lines = _lines([*COMMAND, "search", *arguments, "--set", "budget.scheduler=none"])
        ray = next(when for when, line in lines if "Starting Ray" in line)
        trials = next(when for when, line in lines if "to run, " in line)
        events = [
            json.loads(e) for e in (Path(folder) / "r" / "events.jsonl").read_text().splitlines()
        ]
    start = next(e["time"] for e in events if e["event"] == "start")
    epoch = next(e for e in events if e["event"] == "epoch")
    step = epoch["time"] - epoch["metrics"]["seconds"]
    return {
        "seconds": step - began,
        "preparing": ray - began,
        "starting Ray": trials - ray,
        "proposing": start - trials,
        "the trial's process": step - start,
    }


def _lines(command: list[str]) -> list[tuple[float, str]]:
    """Return the lines that a command prints, each with the time at which it came."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=_environment()
    ) as process:
        lines = [(time.time(), line) for line in process.stdout]
    if process.returncode:
        raise RuntimeError("".join(line for _, line in lines))
    return lines


def _document(rounds: list[dict[str, dict[str, float]]], machine: dict[str, Any]) -> dict[str, Any]:
    def summed_up(name: str, part: str) -> dict[str, float]:
        values = [each[name][part] for each in rounds]
        return {"median": statistics.median(values), "low": min(values), "high": max(values)}

    over = {"help": "bare_python", "spaces_list": "bare_python", "first_trial": "bare_ray"}
    return {
        "ratios": {
            f"{name}_over_{peer}": statistics.median(
                each[name]["seconds"] / each[peer]["seconds"] for each in rounds
            )
            for name, peer in over.items()
        },
        "seconds": {name: summed_up(name, "seconds") for name in rounds[0]},
        "stages": {
            part: summed_up("first_trial", part)
            for part in rounds[0]["first_trial"]
            if part != "seconds"
        },
        "limits": LIMITS,
        "machine": machine,
        "n": len(rounds),
    }


def _print(document: dict[str, Any]) -> None:
    for name, found in document["seconds"].items():
        limit = f"at most {LIMITS[name]:g}" if name in LIMITS else ""
        print(f"{name:14}{_spread(found)}  {limit}")
    for name, found in document["stages"].items():
        print(f"  {name:22}{_spread(found)}")
    for name, ratio in document["ratios"].items():
        print(f"{name:32}{ratio:6.2f}")


def _spread(found: dict[str, float]) -> str:
    return f"{found['median']:7.2f} s  ({found['low']:.2f} to {found['high']:.2f})"


if __name__ == "__main__":
    main()
