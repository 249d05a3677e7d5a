"""Searches of recorded grids at equal compute: ours beside those of other libraries.

    python benchmarks/searchers.py --install                  # once: environments of the peers
    python benchmarks/searchers.py --seeds 100                # all searchers and recordings
    python benchmarks/searchers.py --workers 1 4 16 --results results.jsonl
    python benchmarks/searchers.py --only gp_mf_promotion syne_tune_mobster --recordings digits
    python benchmarks/searchers.py --figure curves.svg        # regret against compute
    python benchmarks/searchers.py --results benchmarks/recorded/searches.jsonl --kept
    python benchmarks/searchers.py --results benchmarks/recorded/searches.jsonl --kept \\
        --tables tables.md                                    # the tables of docs/performance.md
    python benchmarks/searchers.py --json

Each searcher runs on the same recordings (benchmarks/recorded), asynchronously with ``--workers``
trials at a time; a proposal stands for the nearest recorded trial that it has not used yet. All
compute is in gradient evaluations, as a fraction of that of all recorded trials. Measured are

- the compute until a trial has finished whose score on the validation set is within half a point
  of the best: the median, its 95 % bootstrap interval, the quartiles, and how many seeds got there;
- after 5, 10 and 20 % of the compute, the regret of the finished trial with the best score (its
  distance from the best score of the recording, in points), and the test accuracy of that trial:
  the median and the quartiles. Without a finished trial, regret and test accuracy are unknown; such
  a seed counts as the worst. The test set is not used for anything else.

Ours are replays of real searches (``tune-robust replay``), without known points and sentinels, and
with the first rung at a third of a trial, which all others with rungs have too. The peers run as
their libraries come, in environments of their own (benchmarks/search_peers); one whose environment
does not exist is reported as missing. With ``--results``, each search is appended to a file, and
one that is there already is not run again; with ``--kept``, nothing is run, and all searches of the
file count. ``--figure`` draws the regret against the compute: the median and the quartiles over the
seeds. ``--tables`` writes the tables in Markdown, the last one with the means over the recordings
and trials at a time that are asked for.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from anytime import Curve, Step, curve, picture
from intervals import quantiles
from populations import recorded as recorded_populations
from search_tables import Measured, accuracy_table, compute_table, means_table
from time_to_quality import CLOCK, HALF_A_POINT, RECORDED, Recording, recordings
from timing import machine

from tune_robust.runs.folder import RunFolder
from tune_robust.spaces.distributions import Choice
from tune_robust.spaces.space import parse_space
from tune_robust.tuning.simulation.recording import pool_of
from tune_robust.tuning.simulation.replay import replay
from tune_robust.tuning.strategy.warm_start import EarlierTrial

PEERS = Path(__file__).parent / "search_peers"
ENVIRONMENTS = Path.home() / ".cache" / "tune-robust" / "search_peers"

DEVELOP = ["digits", "cifar10n", *recorded_populations("develop")]
"""The recordings on which searchers are developed: two grids, and the populations so marked."""

OURS = {
    "gp_mf_promotion": ("gp_mf", "promotion"),
    "gp_mf_asha": ("gp_mf", "asha"),
    "tpe_asha": ("tpe", "asha"),
    "random_promotion": ("random", "promotion"),
}
PEER_KINDS = {
    "optuna_random": None,
    "optuna_random_halving": None,
    "optuna_tpe": None,
    "optuna_gp": None,
    "optuna_median": None,
    "optuna_median_own_grace": None,
    "optuna_hyperband": None,
    "optuna_hyperband_own_grace": None,
    "syne_tune_asha": "syne_tune",
    "syne_tune_mobster": "syne_tune",
    "syne_tune_dyhpo": "syne_tune",
    "syne_tune_bo": "syne_tune",
    "smac_hyperband": "smac",
    "neps_async_hyperband": "neps",
    "neps_hyperband": "neps",
    "neps_priorband": "neps",
}
"""The environment of each searcher of another library; None if it is this one."""

AT = (0.05, 0.1, 0.2)
"""The fractions of the compute at which regret and test accuracy are taken."""

ENOUGH = AT[-1]
"""What every search uses, also after it has got to the target; as in ``search_peers.table``."""


class Task(NamedTuple):
    """One combination of what is measured."""

    recording: str
    kind: str
    workers: int


class Finish(NamedTuple):
    """A trial that has finished: its name, its score, and the fraction of the compute by then."""

    trial: str
    value: float
    compute: float


Searches = dict[int, list[Finish]]
"""The finished trials of each search, in their order, by seed."""


@lru_cache
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


def ours(
    kind: str,
    recorded: Recording,
    seed: int,
    *,
    workers: int = 1,
    earlier: Sequence[EarlierTrial] = (),
    known: Sequence[Mapping[str, Any]] = (),
) -> list[Finish]:
    """Return the trials that finish in a replay of our search.

    Args:
        kind: a key of ``OURS``.
        recorded: what is searched.
        seed: the seed of the searcher.
        workers: how many trials run at a time.
        earlier: trials of another run, for a warm start.
        known: the known points.
    """
    searcher, scheduler = OURS[kind]
    budget = {"trials": len(recorded.pool.trials), "scheduler": scheduler}
    budget |= {"grace": None, "sentinels": 0}
    changes = {
        "known": tuple(known),
        "budget": recorded.space.budget.model_copy(update=budget),
        "searcher": recorded.space.searcher.model_copy(update={"name": searcher}),
    }
    space, cost = recorded.space.model_copy(update=changes), recorded.pool.cost(CLOCK)
    given: dict[str, Any] = {"seed": seed, "workers": workers, "earlier": earlier}
    found = replay(recorded.pool, space, compute=ENOUGH * cost, **given)
    ends = [_scored(recorded, end, cost) for end in found.finished]
    if to_target(recorded, ends) < math.inf:
        return ends
    found = replay(recorded.pool, space, target=_target(recorded), **given)
    return [_scored(recorded, end, cost) for end in found.finished]


def _scored(recorded: Recording, end: Any, cost: float) -> Finish:
    return Finish(end.trial, recorded.pool.objective.sign * end.value, end.compute / cost)


def _target(recorded: Recording) -> float:
    # Differences of accuracies are subject to rounding.
    pool = recorded.pool
    return pool.best - pool.objective.sign * (HALF_A_POINT + 1e-7)


def to_target(recorded: Recording, finished: Sequence[Finish]) -> float:
    """Return the compute until a trial has finished at the target; inf if none has."""
    target = recorded.pool.objective.sign * _target(recorded)
    return min((end.compute for end in finished if end.value >= target), default=math.inf)


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


def peers(
    kind: str, table: Path, seeds: Sequence[int], environments: Path, *, workers: int = 1
) -> Iterator[list[Finish]]:
    """Run a searcher of another library in its environment; as ``ours``, for each seed."""
    python = _python(kind, environments)
    arguments = [str(table), kind, str(workers), *map(str, seeds)]
    command = [str(python), str(PEERS / "worker.py"), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield [Finish(*end) for end in json.loads(line)]
    if process.returncode:
        raise RuntimeError(f"{kind} ended with exit status {process.returncode}")


def _python(kind: str, environments: Path) -> Path:
    environment = PEER_KINDS[kind]
    if environment is None:
        return Path(sys.executable)
    return environments / environment / "bin" / "python"


def install(environments: Path) -> list[str]:
    """Create the environments of the peers; return those that could not be made.

    The lines of a file of requirements are installed one after the other, since a later one may
    need the programs of an earlier one to be built.
    """
    missing = []
    for requirements in sorted(PEERS.glob("*.txt")):
        place = environments / requirements.stem
        python = place / "bin" / "python"
        path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
        commands = [[sys.executable, "-m", "venv", str(place)]]
        for line in requirements.read_text().splitlines():
            commands.append([str(python), "-m", "pip", "install", *line.split()])
        done = (subprocess.run(command, env={**os.environ, "PATH": path}) for command in commands)
        if any(process.returncode for process in done):
            missing.append(requirements.stem)
            python.unlink(missing_ok=True)
    return missing


def measured(recorded: Recording, searches: Sequence[Sequence[Finish]]) -> Measured:
    """Return the compute to the target and the test accuracy after the parts ``AT`` of it."""
    tests = {trial.name: trial.last["test_accuracy"] for trial in recorded.pool.trials}
    chosen = [[best_by(finished, at) for at in AT] for finished in searches]
    accuracy = [[tests[end.trial] if end else math.nan for end in ends] for ends in chosen]
    return Measured(np.array([to_target(recorded, each) for each in searches]), np.array(accuracy))


def summary(recorded: Recording, searches: Sequence[Sequence[Finish]]) -> dict[str, Any]:
    """Return the compute to the target, and regret and test accuracy after parts of the compute."""
    found = measured(recorded, searches)
    chosen = {at: [best_by(finished, at) for finished in searches] for at in AT}
    best = recorded.pool.objective.sign * recorded.pool.best
    return {
        "compute": quantiles(found.compute),
        "regret": {
            f"{at:g}": quantiles([best - end.value if end else math.inf for end in ends])
            for at, ends in chosen.items()
        },
        "test_accuracy": {
            f"{at:g}": quantiles(np.nan_to_num(column, nan=-math.inf))
            for at, column in zip(AT, found.accuracy.T, strict=True)
        },
        "reached": int(np.isfinite(found.compute).sum()),
        "n": len(searches),
    }


def best_by(finished: Sequence[Finish], at: float) -> Finish | None:
    """Return the best of the trials that have finished after the fraction ``at``, the first one."""
    ended = [end for end in finished if end.compute <= at + 1e-9]
    return max(ended, key=lambda end: end.value, default=None)


def regrets(recorded: Recording, finished: Sequence[Finish]) -> list[Step]:
    """Return the regret of the best trial that has finished, whenever it falls."""
    best, steps = recorded.pool.objective.sign * recorded.pool.best, list[Step]()
    for end in finished:
        regret = best - end.value
        if not steps or regret < steps[-1][1]:
            steps.append((end.compute, regret))
    return steps


class Results:
    """The searches so far, also those of earlier calls if there is a file."""

    def __init__(self, path: Path | None):
        self._path, self._found = path, dict[Task, Searches]()
        for line in path.read_text().splitlines() if path is not None and path.exists() else ():
            *task, seed, finished = json.loads(line)
            ends = [Finish(*end) for end in finished]
            self._found.setdefault(Task(*task), {})[seed] = ends

    def of(self, task: Task) -> Searches:
        """Return the searches of a task."""
        return self._found.setdefault(task, {})

    def add(self, task: Task, seed: int, finished: list[Finish]) -> None:
        """Record a search; beyond eight digits, its numbers have nothing but rounding errors."""
        finished = [Finish(trial, round(value, 8), round(at, 8)) for trial, value, at in finished]
        self.of(task)[seed] = finished
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps([*task, seed, finished]) + "\n")


def run(task: Task, results: Results, seeds: int, environments: Path) -> None:
    """Run the searches of a task that are not among the results."""
    recorded = recording(task.recording)
    left = [seed for seed in range(seeds) if seed not in results.of(task)]
    if task.kind in OURS:
        for seed in left:
            finished = ours(task.kind, recorded, seed, workers=task.workers)
            results.add(task, seed, finished)
        return
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.json"
        table.write_text(json.dumps(table_of(recorded)))
        found = peers(task.kind, table, left, environments, workers=task.workers) if left else ()
        for seed, finished in zip(left, found, strict=True):
            results.add(task, seed, finished)


def _title(task: Task) -> str:
    return task.recording if task.workers == 1 else f"{task.recording}, {task.workers} at a time"


def _lines(task: Task, found: Mapping[str, Any]) -> Iterator[str]:
    compute = found["compute"]
    interval = f"[{_percent(compute['from'])} to {_percent(compute['to'])}]"
    quartiles = f"quartiles {_percent(compute['low'])} to {_percent(compute['high'])}"
    reached = f"{found['reached']} of {found['n']}"
    name = f"{task.recording:22}{task.kind:22}{task.workers:3} at a time "
    yield f"{name}{_percent(compute['median']):>7} {interval:20} {quartiles}, {reached}"
    for figure in ("regret", "test_accuracy"):
        values = [
            f"{_percent(at['median'])} ({_percent(at['low'])} to {_percent(at['high'])})"
            for at in found[figure].values()
        ]
        yield f"    {figure.replace('_', ' '):14}" + ", ".join(values)


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--install", action="store_true", help="make the peers' environments")
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS, help="where they are")
    parser.add_argument("--seeds", type=int, default=100, help="searches of each searcher")
    parser.add_argument("--workers", type=int, nargs="+", default=[1], help="trials at a time")
    known = [*DEVELOP, *recorded_populations("report")]
    parser.add_argument("--recordings", nargs="+", choices=known, default=DEVELOP)
    everything = [*OURS, *PEER_KINDS]
    parser.add_argument("--only", nargs="+", choices=everything, default=everything)
    parser.add_argument("--results", type=Path, help="append the searches to this file")
    parser.add_argument("--kept", action="store_true", help="use those in the file, run none")
    parser.add_argument("--figure", type=Path, help="draw the anytime curves as this SVG file")
    parser.add_argument("--tables", type=Path, help="write the tables to this Markdown file")
    parser.add_argument("--json", action="store_true", help="print JSON on standard output")
    arguments = parser.parse_args()
    if arguments.kept and arguments.results is None:
        parser.error("--kept summarises the searches of a file; name the file with --results.")
    if min(arguments.seeds, *arguments.workers) < 1:
        parser.error("--seeds and --workers are numbers from 1 on.")
    if arguments.install:
        if missing := install(arguments.environments):
            sys.exit(f"Could not be installed: {', '.join(missing)}. They are left out.")
        return
    document = _measure(arguments)
    if arguments.json:
        print(json.dumps(document, indent=2))


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    results, rows, places = Results(arguments.results), [], arguments.environments
    panels: dict[str, dict[str, Curve]] = {}
    found: dict[str, dict[str, Measured]] = {}
    missing = [] if arguments.kept else _missing(arguments.only, places)
    if missing:
        print(_without_environment(missing, places), file=sys.stderr, flush=True)
    kinds = [kind for kind in arguments.only if kind not in missing]
    for combination in product(arguments.recordings, kinds, arguments.workers):
        task = Task(*combination)
        if not arguments.kept:
            run(task, results, arguments.seeds, places)
        recorded, by_seed = recording(task.recording), results.of(task)
        seeds = sorted(by_seed) if arguments.kept else range(arguments.seeds)
        searches = [by_seed[seed] for seed in seeds]
        if not searches:
            continue
        row = summary(recorded, searches)
        steps = [regrets(recorded, search) for search in searches]
        panels.setdefault(_title(task), {})[task.kind] = curve(steps)
        found.setdefault(_title(task), {})[task.kind] = measured(recorded, searches)
        print(*_lines(task, row), sep="\n", file=sys.stderr, flush=True)
        rows.append({**task._asdict(), **row})
    if arguments.kept and not rows:
        sys.exit(f"{arguments.results} has none of these searches.")
    if arguments.figure is not None:
        arguments.figure.write_text(picture(panels))
    if arguments.tables is not None:
        arguments.tables.write_text(_tables(found))
    document = {"ratios": {}, "searches": rows, "missing": missing}
    return {**document, "machine": machine(), "n": min((row["n"] for row in rows), default=0)}


def _tables(found: Mapping[str, Mapping[str, Measured]]) -> str:
    return "\n".join([compute_table(found), accuracy_table(found), means_table(found, AT)])


def _missing(kinds: Sequence[str], environments: Path) -> list[str]:
    peers_of = (kind for kind in kinds if kind in PEER_KINDS)
    return [kind for kind in peers_of if not _python(kind, environments).exists()]


def _without_environment(missing: Sequence[str], environments: Path) -> str:
    return (
        f"Left out, since their environments do not exist in {environments}: {', '.join(missing)}. "
        "Create the environments with: python benchmarks/searchers.py --install"
    )


if __name__ == "__main__":
    main()
