"""The cost of a search of many trials for the process that conducts it: CPU time, memory, disk.

    python benchmarks/scale.py            # 512 and 5,000 trials of up to 40 epochs, 64 at a time
    python benchmarks/scale.py --ray      # 512 of them through Ray, on 64 logical GPUs
    python benchmarks/scale.py --quick    # 64 and 128 (with --ray 16, 4 at a time)
    python benchmarks/scale.py --json

No trial trains: its epochs are a recorded curve (``recorded/methods_grid_digits``) that is higher
the closer its settings are to the best ones. Without Ray, the conductor alone is measured
(proposals, store, rungs, tables); with Ray, everything that the driver does including Ray's threads
in it, but neither Ray's own processes nor those of the trials. Then the run is opened again, and
``status`` and the report are made. ``early`` and ``late`` are the first and the last tenth, which
show what grows with the number of trials; with Ray, the first includes the start of the trials'
processes. ``ratios`` are late over early.

The results are in docs/performance.md, "Many trials".
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from replayed import EPOCHS, epochs, trainable
from timing import machine

from tune_robust.runs.folder import RunFolder
from tune_robust.runs.provenance import provenance
from tune_robust.runs.store import RunStore
from tune_robust.runs.trial import Trial
from tune_robust.spaces.space import Space
from tune_robust.tuning.engine.conductor import Conductor, Decision
from tune_robust.tuning.engine.slots import Slots

AT_A_TIME = 64
SIZES = {"alone": (512, 5000), "ray": (512,)}
QUICK = {"alone": (64, 128), "ray": (16,)}


def main() -> None:
    """Measure each size in a process of its own, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few trials: to see that it works")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--searcher", default="tpe", help="whose proposals: tpe, random, ...")
    parser.add_argument("--ray", action="store_true", help="through Ray, with pretended GPUs")
    parser.add_argument("--trials", type=int, nargs="+", help="how many, instead of the above")
    parser.add_argument("--at-a-time", type=int, help=f"default {AT_A_TIME}")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    at_a_time = given.at_a_time or (4 if given.quick and given.ray else AT_A_TIME)
    if given.one:  # in a process of its own, whose memory is measured
        print(json.dumps(measure(given.one, given.searcher, at_a_time, through_ray=given.ray)))
        return
    on = machine()
    sizes = given.trials or (QUICK if given.quick else SIZES)["ray" if given.ray else "alone"]
    options = ["--searcher", given.searcher, "--at-a-time", str(at_a_time)]
    rows = [_apart(size, [*options, *["--ray"][: given.ray]]) for size in sizes]
    if given.json:
        print(json.dumps({"ratios": _ratios(rows), "machine": on, "n": 1, "runs": rows}, indent=2))
    else:
        _print(rows)
        print(", ".join(f"{key} {value}" for key, value in on.items()))


def measure(trials: int, searcher: str, at_a_time: int, *, through_ray: bool) -> dict[str, Any]:
    """Measure a search of ``trials`` trials and the reading of its run; times in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r"
        space = search_space(trials, searcher)
        store = RunStore.create(RunFolder(path), {"space": space.document(), **provenance()})
        next(epochs(0, 0.0, 0.0))  # read the curves before anything is measured
        memory, cpu, began = _peak_mb(), time.process_time(), time.perf_counter()
        conductor = _Timed(space, store, threads=1)
        (_conduct_through_ray if through_ray else conduct)(conductor, at_a_time)
        conductor.close()
        cpu, decided = time.process_time() - cpu, conductor.decided
        return {
            "trials": trials,
            "at_a_time": at_a_time,
            "epochs": len(decided),
            "wall_s": time.perf_counter() - began,
            "cpu_s": cpu,
            "cpu_ms_per_trial": 1e3 * cpu / trials,
            "cpu_ms_per_epoch": _early_and_late(conductor.cpu),
            "memory_mb": _peak_mb(),
            "kb_per_trial": 1e3 * (_peak_mb() - memory) / trials,
            "proposal_ms": _early_and_late(conductor.asked),
            "decision_ms": _early_and_late(decided),
            "longest_decision_ms": 1e3 * max(decided),
            "disk_kb_per_trial": sum(f.stat().st_size for f in path.iterdir()) / 1e3 / trials,
            "reopen_s": _timed(lambda: _reopen(space, path)),
            "status_s": _timed(lambda: _command("status", path)),
            "report_s": _timed(lambda: _command("report", path)),
        }


class _Timed(Conductor):
    """A conductor that records seconds of proposals and decisions, and CPU seconds by epoch."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.asked: list[float] = []
        self.decided: list[float] = []
        self.cpu: list[float] = []
        self._cpu = time.process_time()

    def next_trial(self) -> Trial | None:
        began = time.perf_counter()
        trial = super().next_trial()
        if trial is not None:
            self.asked.append(time.perf_counter() - began)
        return trial

    def on_epoch(self, name: str, epoch: int, metrics: Mapping[str, Any], **more: Any) -> Decision:
        began = time.perf_counter()
        decision = super().on_epoch(name, epoch, metrics, **more)
        self.decided.append(time.perf_counter() - began)
        now = time.process_time()
        self.cpu.append(now - self._cpu)
        self._cpu = now
        return decision


def conduct(conductor: Conductor, at_a_time: int) -> None:
    """Run all trials, one epoch of a randomly chosen trial at a time."""
    live: dict[str, Iterator[dict[str, float]]] = {}
    draw = random.Random(0)
    while True:
        while len(live) < at_a_time and (trial := conductor.next_trial()) is not None:
            live[trial.name] = epochs(trial.number, *trial.values.values())
        if not live:
            return
        name = draw.choice(list(live))
        metrics = next(live[name])
        if conductor.on_epoch(name, metrics.pop("epoch"), metrics) is Decision.END:
            del live[name]


def _conduct_through_ray(conductor: Conductor, at_a_time: int) -> None:
    """Run all trials as a search does, each in a process that replays its curve."""
    from tune_robust.tuning.engine import ray_backend, ray_session

    ray, runner = ray_session.ray, trainable()
    ray.init(
        address="local",
        num_cpus=at_a_time,
        num_gpus=at_a_time,
        object_store_memory=200e6,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    conductor.give(Slots(1, 1.0, at_a_time))
    with patch.object(ray_backend, "_runner", lambda space: runner):
        ray_backend.run_trials(conductor, conductor.store.folder.path / "cache")
    ray.shutdown()


def search_space(trials: int, searcher: str) -> Space:
    """Return the space of a search of ``trials`` trials."""
    document = {
        "name": "scale",
        "train": {"data": {"dataset": "digits"}, "method": "saner", "epochs": EPOCHS},
        "search": {
            "sam.rho": {"log_uniform": [0.01, 1.0]},
            "saner.alpha": {"uniform": [0.0, 1.0]},
        },
        "budget": {"trials": trials, "scheduler": "asha", "reduction": 3},
        "searcher": {"name": searcher},
        "resources": {"cpus": 1, "gpus": 1.0},
    }
    return Space.from_document(document)


def _reopen(space: Space, path: Path) -> None:
    Conductor(space, RunStore(RunFolder(path)), threads=1).close()


def _command(verb: str, path: Path) -> None:
    command = [sys.executable, "-m", "tune_robust", verb, str(path)]
    subprocess.run(command, check=True, capture_output=True)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _early_and_late(seconds: list[float]) -> dict[str, float]:
    tenth = max(1, len(seconds) // 10)
    parts = {"early": seconds[:tenth], "late": seconds[-tenth:]}
    return {name: 1e3 * statistics.mean(part) for name, part in parts.items()}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _apart(trials: int, options: list[str]) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", str(trials), *options]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _ratios(rows: list[dict[str, Any]]) -> dict[str, float]:
    return {
        f"{what}_{row['trials']}": row[f"{what}_ms"]["late"] / row[f"{what}_ms"]["early"]
        for row in rows
        for what in ("proposal", "decision")
    }


def _print(rows: list[dict[str, Any]]) -> None:
    for name in rows[0]:
        cells = [_cell(row[name]) for row in rows]
        print(f"{name:20}" + "".join(f"{cell:>20}" for cell in cells))


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['early']:.2f} to {value['late']:.2f}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
