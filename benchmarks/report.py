"""The cost of the report of a large run: seconds and megabytes, at 1,000 trials of 100 epochs.

    python benchmarks/report.py            # three reports of one run
    python benchmarks/report.py --quick    # one report
    python benchmarks/report.py --quick --json

The run is synthetic: rho, alpha, k and rho's schedule with a score that has a ridge, all metrics
that a training run stores, and successive halving after 10 and 30 epochs. Each report is written by
a process of its own, imports included, as by the command. ``processor`` is CPU time, which other
work on the machine hardly changes.
"""

from __future__ import annotations

import argparse
import bisect
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from timing import machine

LIMITS = {"seconds": 10.0, "megabytes": 6.0}
SEARCH = {
    "sam.rho": {"log_uniform": [0.03, 3.0]},
    "sam.rho_schedule": {"choice": ["constant", "step_decay", "cosine"]},
    "saner.alpha": {"uniform": [0.0, 1.0]},
    "saner.k": {"int": [0, 50]},
}
WRITE = (
    "import resource, sys; from analysis import write_report; write_report(sys.argv[1]);"
    "used = resource.getrusage(resource.RUSAGE_SELF); print(used.ru_utime + used.ru_stime)"
)


def make_run(path: Path, trials: int, epochs: int) -> None:
    """Write a run's folder as a search would have left it."""
    draw = np.random.default_rng(0)
    tables, rows, rungs = [], [], _Rungs(epochs)
    for number in range(1, trials + 1):
        settings, good = _settings(draw, number)
        full = _epochs(draw, good, epochs, passes=1 if number == 1 else 2)
        ran = epochs if number == 1 else rungs.ran(full["val_accuracy"].to_numpy())
        table = full.iloc[:ran].assign(trial=f"t{number:04d}")
        tables.append(table)
        config = {"method": "sgd" if number == 1 else "saner", "epochs": epochs}
        rows.append(
            {
                "origin": "baseline" if number == 1 else "sampled",
                "status": "done" if ran == epochs else "stopped",
                **table.iloc[-1],
                **settings,
                "objective": table["val_accuracy"].iloc[-1],
                "error": None,
                "config": json.dumps(config),
            }
        )
    path.mkdir(parents=True)
    pd.DataFrame(rows).to_parquet(path / "trials.parquet")
    pd.concat(tables, ignore_index=True).to_parquet(path / "epochs.parquet")
    (path / "run.json").write_text(json.dumps(_meta(trials, epochs)))


def _settings(draw: np.random.Generator, number: int) -> tuple[dict[str, Any], float]:
    """Return a trial's settings, and how well they resist wrong labels, in [0, 1]."""
    if number == 1:
        return dict.fromkeys(SEARCH), 0.1
    rho = float(np.exp(draw.uniform(np.log(0.03), np.log(3.0))))
    alpha, k = float(draw.uniform()), int(draw.integers(0, 51))
    schedule = str(draw.choice(SEARCH["sam.rho_schedule"]["choice"]))
    ridge = np.exp(-(np.log(rho / 0.4) ** 2)) * (1 - 0.3 * alpha) * (1 - 0.002 * k)
    good = float(ridge * (0.9 if schedule == "constant" else 1.0))
    values = {"sam.rho": rho, "sam.rho_schedule": schedule, "saner.alpha": alpha, "saner.k": k}
    return values, good


def _epochs(draw: np.random.Generator, good: float, epochs: int, passes: int) -> pd.DataFrame:
    t = np.arange(1, epochs + 1)
    clean = 1 - 0.9 * np.exp(-8 * t / epochs)
    noisy = 0.05 + 0.95 * (1 - good) / (1 + np.exp(-10 * (t / epochs - 0.4)))
    right = clean * (1 - 0.4 * noisy)
    jitter = draw.normal(0, 0.01, (6, epochs))
    return pd.DataFrame(
        {
            "epoch": t,
            "train_loss": 2.3 - 1.5 * t / epochs,
            "val_accuracy": (0.1 + 0.45 * right + jitter[0]).clip(0, 1),
            "val_loss": 2.2 - right + jitter[1],
            "test_accuracy": (right + jitter[2]).clip(0, 1),
            "test_ece": (0.3 * noisy + np.abs(jitter[3])).clip(0, 1),
            "clean_fit": (clean + jitter[4]).clip(0, 1),
            "noisy_fit": (noisy + jitter[5]).clip(0, 1),
            "fit_gap": clean - noisy,
            "group_a": 0.5,
            "group_b": 0.35,
            "group_c": 0.15,
            "gradient_evaluations": passes * t.astype(float),
            "seconds": 20.0 * t,
        }
    )


class _Rungs:
    """Stop the worse two thirds of the trials so far after a tenth and three tenths."""

    def __init__(self, epochs: int):
        self._epochs = epochs
        self._seen: dict[int, list[float]] = {epochs // 10: [], epochs * 3 // 10: []}

    def ran(self, scores: np.ndarray) -> int:
        """Return the epoch until which a trial with these scores runs."""
        for rung, seen in self._seen.items():
            score = scores[rung - 1]
            stops = len(seen) > 3 and score < np.quantile(seen, 2 / 3)
            bisect.insort(seen, score)
            if stops:
                return rung
        return self._epochs


def _meta(trials: int, epochs: int) -> dict[str, Any]:
    data = {"dataset": "cifar10", "noise": {"kind": "symmetric", "rate": 0.4}}
    return {
        "format": 1,
        "name": "large",
        "created": "2025-03-01T10:00:00+00:00",
        "wrong_labels": {"train": 0.4, "validation": 0.4},
        "images": {"train": 45_000, "validation": 5_000, "test": 10_000},
        "space": {
            "name": "large",
            "train": {"data": data, "method": "saner", "epochs": epochs},
            "search": SEARCH,
            "budget": {"trials": trials, "unit": "gradient_evaluations", "scheduler": "asha"},
            "searcher": {"name": "random"},
            "objective": {"metric": "val_accuracy", "mode": "max", "at": "last"},
        },
    }


def measure(run: Path) -> dict[str, float]:
    """Write one report; return wall seconds, CPU seconds and the megabytes of the page."""
    began = time.perf_counter()
    command = [sys.executable, "-c", WRITE, str(run)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    size = (run / "report.html").stat().st_size / 1e6
    return {"seconds": seconds, "processor": float(done.stdout), "megabytes": size}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one report")
    parser.add_argument("--json", action="store_true", help="one object: ratios, machine, n")
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=100)
    arguments = parser.parse_args()
    on, count = machine(), 1 if arguments.quick else 3
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "large"
        make_run(run, arguments.trials, arguments.epochs)
        found = [measure(run) for _ in range(count)]
    medians = {name: statistics.median(each[name] for each in found) for name in found[0]}
    ratios = {name: round(medians[name] / limit, 3) for name, limit in LIMITS.items()}
    rounded = {name: round(value, 2) for name, value in medians.items()}
    if arguments.json:
        print(json.dumps({"ratios": ratios, "measured": rounded, "machine": on, "n": count}))
        return
    print(f"{arguments.trials} trials of {arguments.epochs} epochs, median of {count}")
    for name, value in rounded.items():
        limit = f" (at most {LIMITS[name]:g})" if name in LIMITS else ""
        print(f"  {name} {value}{limit}")
    print(", ".join(f"{key} {value}" for key, value in on.items()))


if __name__ == "__main__":
    main()
