"""Compute until a search is near the best of a recorded grid: ours beside those of other libraries.

    python benchmarks/searchers.py --install                  # once: environments of the peers
    python benchmarks/searchers.py --seeds 100                # all searchers and recordings
    python benchmarks/searchers.py --only gp_mf_promotion syne_tune_mobster --recordings digits
    python benchmarks/searchers.py --json

Each searcher runs on the same recordings (benchmarks/recorded), one trial at a time; a proposal
stands for the nearest recorded trial that it has not used yet. Measured is the compute, in gradient
evaluations, until a trial has finished whose score on the validation set is within half a point of
the best, as a fraction of that of all recorded trials: the median, its 95 % bootstrap interval, the
quartiles, and how many seeds got there at all. The test set is not used.

Ours are replays of real searches (``tune-robust replay``), without known points and sentinels, and
with the first rung at a third of a trial, which all others with rungs have too. The peers run as
their libraries come, in environments of their own (benchmarks/search_peers).
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from time_to_quality import CLOCK, HALF_A_POINT, RECORDED, Recording, recordings
from timing import machine

from tune_robust.runs.folder import RunFolder
from tune_robust.spaces.distributions import Choice
from tune_robust.spaces.space import parse_space
from tune_robust.tuning.simulation.recording import pool_of
from tune_robust.tuning.simulation.replay import replay

PEERS = Path(__file__).parent / "search_peers"
ENVIRONMENTS = PEERS / ".environments"

DEVELOP = ["digits", "cifar10n", "digits_symmetric_0", "digits_asymmetric_1", "digits_instance_0"]
OURS = {
    "tpe_asha": ("tpe", "asha"),
    "gp_mf_asha": ("gp_mf", "asha"),
    "gp_mf_promotion": ("gp_mf", "promotion"),
    "random_promotion": ("random", "promotion"),
}
OPTUNA = ["optuna_random", "optuna_random_halving", "optuna_tpe", "optuna_hyperband"]
SYNE_TUNE = ["syne_tune_asha", "syne_tune_mobster", "syne_tune_dyhpo", "syne_tune_bo"]


def recording(name: str) -> Recording:
    """Return a grid, or a population of ``recorded/populations``, with its space for a search."""
    grids = recordings()
    if name in grids:
        return grids[name]
    folder = RunFolder(RECORDED / "populations" / name)
    document = folder.read_meta()["space"]
    budget = {"trials": document["budget"]["trials"], "unit": CLOCK}
    document |= {"budget": budget, "searcher": {"name": "tpe"}}
    space = parse_space(document, source=name)
    return Recording(pool_of(space, folder), space)


def ours(kind: str, recorded: Recording, seed: int) -> float:
    """Return the fraction of the compute that a replay of our search takes; inf if it never does.

    Args:
        kind: a key of ``OURS``.
        recorded: what is searched.
        seed: the seed of the searcher.
    """
    searcher, scheduler = OURS[kind]
    budget = {"trials": len(recorded.pool.trials), "scheduler": scheduler}
    budget |= {"grace": None, "sentinels": 0}
    changes = {
        "known": (),
        "budget": recorded.space.budget.model_copy(update=budget),
        "searcher": recorded.space.searcher.model_copy(update={"name": searcher}),
    }
    space, target = recorded.space.model_copy(update=changes), _target(recorded)
    found = replay(recorded.pool, space, seed=seed, target=target)
    sign = recorded.pool.objective.sign
    reached = (end.compute for end in found.finished if sign * end.value >= sign * target)
    return min(reached, default=math.inf) / recorded.pool.cost(CLOCK)


def _target(recorded: Recording) -> float:
    # Differences of accuracies are subject to rounding.
    pool = recorded.pool
    return pool.best - pool.objective.sign * (HALF_A_POINT + 1e-9)


def table_of(recorded: Recording) -> dict[str, Any]:
    """Return a recording as plain data: the document that ``search_peers.table`` reads."""
    pool, sign = recorded.pool, recorded.pool.objective.sign
    most = round(recorded.space.max_resource)
    unit = round(max(trial.epochs[1][CLOCK] for trial in pool.trials))
    steps = most // unit
    trials = [
        {
            "name": trial.name,
            "settings": {
                dim.name: trial.values[dim.path]
                for dim in recorded.space.dimensions
                if dim.path in trial.values and dim.active(trial.values)
            },
            "curve": [sign * _value_at(trial, pool, unit * step) for step in range(1, steps + 1)],
        }
        for trial in pool.trials
    ]
    return {
        "dimensions": [_dimension(dim) for dim in recorded.space.dimensions],
        "trials": trials,
        "unit": unit,
        "grace": math.ceil(steps / 3),
        "target": sign * _target(recorded),
        "cost": pool.cost(CLOCK),
    }


def _value_at(trial: Any, pool: Any, compute: float) -> float:
    until = {epoch: m for epoch, m in trial.epochs.items() if m[CLOCK] <= compute}
    return pool.objective.known_value(until)


def _dimension(dim: Any) -> dict[str, Any]:
    listed = isinstance(dim.distribution, Choice)
    given = dim.distribution
    return {
        "name": dim.name,
        "kind": given.kind,
        "low": 0 if listed else given.low,
        "high": 0 if listed else given.high,
        "values": list(given.values) if listed else [],
        "when": {path: list(condition.among) for path, condition in dim.conditions.items()},
    }


def peers(kind: str, table: Path, seeds: int) -> list[float]:
    """Run a searcher of another library in its environment; as ``ours``, for each seed."""
    python = sys.executable
    if kind in SYNE_TUNE:
        python = str(ENVIRONMENTS / "syne_tune" / "bin" / "python")
    command = [python, str(PEERS / "worker.py"), str(table), kind, "0", str(seeds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [math.inf if v is None else v for v in json.loads(done.stdout.splitlines()[-1])]


def install() -> None:
    """Create the environments of the peers."""
    for requirements in PEERS.glob("*.txt"):
        place = ENVIRONMENTS / requirements.stem
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "-r", str(requirements)]
        subprocess.run(pip, check=True)


def summary(found: Sequence[float]) -> dict[str, Any]:
    """Return the median, its interval, and the quartiles; None means never."""
    values = np.array(found)
    draws = np.random.default_rng(0).integers(len(values), size=(2000, len(values)))
    quantile = {"method": "inverted_cdf"}
    medians = np.quantile(values[draws], 0.5, axis=1, **quantile)
    median, low, high = np.quantile(values, [0.5, 0.25, 0.75], **quantile)
    first, last = np.quantile(medians, [0.025, 0.975], **quantile)
    numbers = {"median": median, "from": first, "to": last, "low": low, "high": high}
    plain = {name: float(v) if math.isfinite(v) else None for name, v in numbers.items()}
    return {**plain, "reached": int(np.isfinite(values).sum()), "n": len(values)}


def measure(name: str, kinds: Sequence[str], seeds: int) -> dict[str, Any]:
    """Return the summary of each searcher on one recording."""
    recorded, found = recording(name), {}
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.json"
        table.write_text(json.dumps(table_of(recorded)))
        for kind in kinds:
            if kind in OURS:
                values = [ours(kind, recorded, seed) for seed in range(seeds)]
            else:
                values = peers(kind, table, seeds)
            found[kind] = summary(values)
            print(_line(name, kind, found[kind]), file=sys.stderr, flush=True)
    return found


def _line(name: str, kind: str, found: Mapping[str, Any]) -> str:
    median, first, last, low, high = (
        "never" if found[key] is None else f"{found[key]:.1%}"
        for key in ("median", "from", "to", "low", "high")
    )
    interval = f"[{first} to {last}]"
    reached = f"{found['reached']} of {found['n']}"
    return f"{name:22}{kind:24}{median:>7} {interval:20} quartiles {low} to {high}, {reached}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--install", action="store_true", help="make the peers' environments")
    parser.add_argument("--seeds", type=int, default=100, help="searches of each searcher")
    parser.add_argument("--recordings", nargs="+", default=DEVELOP)
    everything = [*OURS, *OPTUNA, *SYNE_TUNE]
    parser.add_argument("--only", nargs="+", choices=everything, default=everything)
    parser.add_argument("--json", action="store_true", help="print JSON on standard output")
    arguments = parser.parse_args()
    if arguments.install:
        install()
        return
    found = {name: measure(name, arguments.only, arguments.seeds) for name in arguments.recordings}
    if arguments.json:
        document = {"ratios": {}, "compute": found, "machine": machine(), "n": arguments.seeds}
        print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
