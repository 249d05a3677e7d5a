"""What a search of many trials costs the process that conducts it: CPU time, memory, disk.

    python benchmarks/scale.py            # 512 and 5,000 trials of up to 40 epochs, 64 at a time
    python benchmarks/scale.py --quick    # 64 and 128
    python benchmarks/scale.py --json

The trials are invented curves instead of training, and there is no Ray: what is measured is the
conductor alone (proposals, store, rungs, tables), and then opening the run again, ``status`` and
the report. ``early`` and ``late`` are the first and the last tenth: what grows with the number of
trials shows there. ``ratios`` are late over early.

Found on two shared cores (load 6 to 12, n = 1), TPE, with this script's ``--one``:

    trials                  512               5,000
    epochs               15,696             126,108
    CPU per epoch        0.36 ms             1.57 ms
    memory per trial      204 kB               87 kB
    proposal          9 to 18 ms          19 to 70 ms    (TPE looks at all trials each time)
    decision       0.59 to 0.52 ms      0.77 to 0.25 ms
    disk per trial         34 kB               29 kB
    open again             2.1 s                8.1 s
    status                 4.6 s                7.0 s
    report                23.1 s               17.2 s
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tune_robust.metrics import METRICS
from tune_robust.search.engine.conductor import Conductor, Decision
from tune_robust.search.runs.provenance import provenance
from tune_robust.search.runs.store import RunFolder, RunStore, Trial
from tune_robust.search.spaces.space import Space

AT_A_TIME = 64
EPOCHS = 40
FULL, QUICK = (512, 5000), (64, 128)


def main() -> None:
    """Measure each size in a process of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few trials: to see that it works")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--searcher", default="tpe", help="whose proposals: tpe, random, ...")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:  # in a process of its own: memory is a process's
        print(json.dumps(measure(arguments.one, arguments.searcher)))
        return
    sizes = QUICK if arguments.quick else FULL
    rows = [_apart(size, arguments.searcher) for size in sizes]
    if arguments.json:
        print(json.dumps(_document(rows), indent=2))
    else:
        _print(rows)


def measure(trials: int, searcher: str) -> dict[str, Any]:
    """One search of so many trials, and what reads it afterwards; times in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r"
        space = _space(trials, searcher)
        store = RunStore.create(RunFolder(path), {"space": space.document(), **provenance()})
        memory, cpu = _peak_mb(), time.process_time()
        asked, decided = _conduct(Conductor(space, store, threads=1))
        return {
            "trials": trials,
            "epochs": len(decided),
            "cpu_ms_per_epoch": 1e3 * (time.process_time() - cpu) / len(decided),
            "kb_per_trial": 1e3 * (_peak_mb() - memory) / trials,
            "proposal_ms": _early_and_late(asked),
            "decision_ms": _early_and_late(decided),
            "disk_kb_per_trial": sum(f.stat().st_size for f in path.iterdir()) / 1e3 / trials,
            "reopen_s": _timed(lambda: _reopen(space, path)),
            "status_s": _timed(lambda: _command("status", path)),
            "report_s": _timed(lambda: _command("report", path)),
        }


def _conduct(conductor: Conductor) -> tuple[list[float], list[float]]:
    """Seconds of each proposal and of each decision, in their order."""
    asked, decided = [], []
    live: dict[str, Trial] = {}
    draw = random.Random(0)
    while True:
        while len(live) < AT_A_TIME:
            began = time.perf_counter()
            trial = conductor.next_trial()
            if trial is None:
                break
            asked.append(time.perf_counter() - began)
            live[trial.name] = trial
        if not live:
            conductor.close()
            return asked, decided
        name = draw.choice(list(live))
        epoch = max(live[name].epochs, default=0) + 1
        metrics = _metrics(live[name], epoch)
        began = time.perf_counter()
        decision = conductor.on_epoch(name, epoch, metrics)
        decided.append(time.perf_counter() - began)
        if decision is Decision.END:
            del live[name]


def _space(trials: int, searcher: str) -> Space:
    document = {
        "name": "scale",
        "train": {"data": {"dataset": "digits"}, "method": "saner", "epochs": EPOCHS},
        "search": {
            "sam.rho": {"log_uniform": [0.01, 1.0]},
            "saner.alpha": {"uniform": [0.0, 1.0]},
        },
        "budget": {"trials": trials, "scheduler": "asha", "reduction": 3},
        "searcher": {"name": searcher},
    }
    return Space.from_document(document)


def _metrics(trial: Trial, epoch: int) -> dict[str, float]:
    """As many as a real epoch has; the objective is best at rho 0.3 and alpha 0.5."""
    away = abs(trial.values["sam.rho"] - 0.3) + 0.5 * abs(trial.values["saner.alpha"] - 0.5)
    measured = {"val_accuracy": 0.8 - 0.4 * away + 0.005 * epoch, "gradient_evaluations": 2 * epoch}
    return {**dict.fromkeys(METRICS, 0.123456789), **measured}


def _reopen(space: Space, path: Path) -> None:
    Conductor(space, RunStore(RunFolder(path)), threads=1).close()


def _command(verb: str, path: Path) -> None:
    command = [sys.executable, "-m", "tune_robust", verb, str(path)]
    subprocess.run(command, check=True, capture_output=True)


def _timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _early_and_late(seconds: list[float]) -> dict[str, float]:
    tenth = max(1, len(seconds) // 10)
    parts = {"early": seconds[:tenth], "late": seconds[-tenth:]}
    return {name: 1e3 * statistics.mean(part) for name, part in parts.items()}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _apart(trials: int, searcher: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", str(trials), "--searcher", searcher]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def _document(rows: list[dict[str, Any]]) -> dict[str, Any]:
    late_over_early = {
        f"{what}_{row['trials']}": row[f"{what}_ms"]["late"] / row[f"{what}_ms"]["early"]
        for row in rows
        for what in ("proposal", "decision")
    }
    machine = {"processor": platform.processor() or platform.machine(), "python": sys.version}
    return {"ratios": late_over_early, "machine": machine, "n": 1, "runs": rows}


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
