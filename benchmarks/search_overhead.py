"""The cost of a search beyond the training of its trials, with plain Ray Tune and Optuna as peers.

    python benchmarks/search_overhead.py            # 32 trials, 3 rounds, some ten minutes
    python benchmarks/search_overhead.py --quick    # 32 trials, one round
    python benchmarks/search_overhead.py --quick --json

The trials are short (a small CNN on handwritten digits, about two seconds each), so that the
overhead of a trial shows. As many run at a time as there are cores, with one thread each. A round
runs the search, the same trials through a plain Ray Tune function and through a plain Optuna loop,
in random order; a ratio is the median over the rounds.

``X_over_training`` is wall time x parallelism / the trials' own training seconds. Wall time runs
from the first step of the first trial to the end of the last: it excludes the start-up of the run
and includes that of every later trial. Training seconds are measured inside the trials of the same
run at the same parallelism: gradient steps and the evaluation after each epoch (metric
``seconds``), without the loading of data and weights, checkpoints, proposals, records or tables.
The search saves a checkpoint every epoch; so does the Ray Tune function, as in its documentation;
the Optuna loop saves none and cannot be resumed within a trial.

``two_at_once_over_alone`` is the training seconds of an epoch with one trial per core over those of
the same trials one at a time: 1 if trials that run side by side do not slow each other down.

``seconds``: ``start_up`` until the first trial's first step, and ``between_trials`` from the
``start`` event of a later trial to its first step, in a process that is reused.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from rich.console import Console
from rich.table import Table
from timing import machine

from tune_robust.config import TrainConfig, parse_config
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.store import RunStore
from tune_robust.spaces.space import Space
from tune_robust.training import train
from tune_robust.tuning.engine.conductor import Conductor
from tune_robust.tuning.engine.ray_backend import run_trials, tune
from tune_robust.tuning.engine.ray_session import ray_session
from tune_robust.tuning.engine.slots import Slots

TRAIN = {
    "data": {"dataset": "digits", "validation": {"size": 0.2}},
    "model": {"name": "small_cnn"},
    "method": "saner",
    "epochs": 8,
    "batch_size": 64,
    "threads": 1,
}
SEARCH = {"sam.rho": {"log_uniform": [0.05, 0.5]}, "saner.alpha": {"uniform": [0.0, 1.0]}}


class Measured(NamedTuple):
    """The ``wall`` seconds of one run, and the training seconds inside its ``parallel`` trials."""

    wall: float
    training: float
    parallel: int

    @property
    def ratio(self) -> float:
        """Return the wall time relative to that of perfect parallelism."""
        return self.wall * self.parallel / self.training


class Search(NamedTuple):
    """A run of the search: the common measurements, and those of a search alone."""

    measured: Measured
    epoch: float
    start_up: float
    between_trials: float


def run_search(trials: int, parallel: int, folder: Path) -> Search:
    """Run the search, without its start-up and without the final report."""
    document = {
        "name": "overhead",
        "train": TRAIN,
        "search": SEARCH,
        "budget": {"trials": trials, "scheduler": "none"},
    }
    space = Space.from_document(document)
    store = RunStore.create(RunFolder(folder / "run"), {"space": space.document()})
    began = time.time()
    with ray_session(dashboard=False, verbose=False):
        conductor = Conductor(space, store, threads=1)
        conductor.give(Slots(cpus=1, gpus=0.0, concurrency=parallel))
        run_trials(conductor, folder / "cache")
        conductor.close()
    return _read_search(store.folder, parallel, began)


def _read_search(folder: RunFolder, parallel: int, began: float) -> Search:
    events = [json.loads(line) for line in folder.events.read_text().splitlines()]
    started = {e["trial"]: e["time"] for e in events if e["event"] == "start"}
    epochs = [e for e in events if e["event"] == "epoch"]
    stepped = {e["trial"]: e["time"] - e["metrics"]["seconds"] for e in epochs if e["epoch"] == 1}
    trained = {e["trial"]: e["metrics"]["seconds"] for e in epochs}
    first = min(stepped.values())
    wall = max(e["time"] for e in events if e["event"] == "end") - first
    waited = [stepped[trial] - started[trial] for trial in sorted(started)[parallel:]]
    return Search(
        Measured(wall, sum(trained.values()), parallel),
        epoch=sum(trained.values()) / len(epochs),
        start_up=first - began,
        between_trials=statistics.median(waited),
    )


def run_ray_tune(trials: int, parallel: int, folder: Path) -> Measured:
    """Run the same trials as in Ray's documentation: a function, Optuna, a checkpoint per step."""
    from ray.tune.search.optuna import OptunaSearch

    log = folder / "trials.log"

    def objective(values: dict[str, Any]) -> None:
        began = time.time()
        for result in train(_config(values)):
            with tempfile.TemporaryDirectory() as checkpoint:
                result.save(Path(checkpoint) / "last.pt")
                tune.report(
                    {"val_accuracy": result.metrics["val_accuracy"]},
                    checkpoint=tune.Checkpoint.from_directory(checkpoint),
                )
        _log(log, began, result.metrics["seconds"])

    with ray_session(dashboard=False, verbose=False):
        tuner = tune.Tuner(
            tune.with_resources(objective, {"cpu": 1}),
            param_space={
                "sam.rho": tune.loguniform(0.05, 0.5),
                "saner.alpha": tune.uniform(0.0, 1.0),
            },
            tune_config=tune.TuneConfig(
                metric="val_accuracy",
                mode="max",
                search_alg=OptunaSearch(),
                num_samples=trials,
                max_concurrent_trials=parallel,
            ),
            run_config=tune.RunConfig(storage_path=str(folder), verbose=0),
        )
        tuner.fit()
    return _read_log(log, parallel)


def run_optuna(trials: int, parallel: int, folder: Path) -> Measured:
    """Run the same trials in as many processes, each in Optuna's own loop on one SQLite study."""
    storage = f"sqlite:///{folder}/study.db"
    optuna.create_study(study_name="overhead", storage=storage, direction="maximize")
    log = folder / "trials.log"
    share = [trials // parallel + (i < trials % parallel) for i in range(parallel)]
    processes = [
        multiprocessing.get_context("spawn").Process(
            target=_optimize, args=(storage, n, log, TRAIN)
        )
        for n in share
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return _read_log(log, parallel)


def _optimize(storage: str, trials: int, log: Path, settings: dict[str, Any]) -> None:
    TRAIN.update(settings)  # this process has imported the module anew

    def objective(trial: optuna.Trial) -> float:
        values = {
            "sam.rho": trial.suggest_float("sam.rho", 0.05, 0.5, log=True),
            "saner.alpha": trial.suggest_float("saner.alpha", 0.0, 1.0),
        }
        began = time.time()
        for result in train(_config(values)):
            trial.report(result.metrics["val_accuracy"], result.epoch)
        _log(log, began, result.metrics["seconds"])
        return result.metrics["val_accuracy"]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.load_study(study_name="overhead", storage=storage).optimize(objective, n_trials=trials)


def _config(values: dict[str, Any]) -> TrainConfig:
    parts = {"sam": {"rho": values["sam.rho"]}, "saner": {"alpha": values["saner.alpha"]}}
    return parse_config({**TRAIN, **parts}, "a trial")


def _log(path: Path, began: float, training: float) -> None:
    with path.open("a") as file:
        file.write(json.dumps([began, time.time(), training]) + "\n")


def _read_log(path: Path, parallel: int) -> Measured:
    began, ended, training = zip(*map(json.loads, path.read_text().splitlines()), strict=True)
    return Measured(max(ended) - min(began), sum(training), parallel)


def measure(
    trials: int, rounds: int, parallel: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return ratios and seconds by name, one of each per round."""
    ratios: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}
    order = random.Random(0)

    def search(folder: Path) -> None:
        found = run_search(trials, parallel, folder / "search")
        ratios.setdefault("search_over_training", []).append(found.measured.ratio)
        if parallel > 1:
            alone = run_search(max(4, trials // 8), 1, folder / "alone")
            ratios.setdefault("two_at_once_over_alone", []).append(found.epoch / alone.epoch)
        seconds.setdefault("start_up", []).append(found.start_up)
        seconds.setdefault("between_trials", []).append(found.between_trials)
        seconds.setdefault("training_of_a_trial", []).append(found.measured.training / trials)

    def peer(name: str, run: Callable[[int, int, Path], Measured]) -> Callable[[Path], None]:
        return lambda folder: ratios.setdefault(name, []).append(
            run(trials, parallel, folder / name).ratio
        )

    systems = [
        search,
        peer("ray_tune_over_training", run_ray_tune),
        peer("optuna_over_training", run_optuna),
    ]
    for _ in range(rounds):
        for system in order.sample(systems, len(systems)):
            with tempfile.TemporaryDirectory() as folder, redirect_stdout(None):
                for name in ("search", "alone", "ray_tune_over_training", "optuna_over_training"):
                    (Path(folder) / name).mkdir()
                system(Path(folder))
    return ratios, seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--json", action="store_true", help="one object: ratios, machine, n")
    parser.add_argument("--trials", type=int, default=32, help="of each run")
    parser.add_argument("--epochs", type=int, default=TRAIN["epochs"], help="of each trial")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--at-a-time", type=int, default=os.cpu_count() or 1, help="by default one per core"
    )
    arguments = parser.parse_args()
    TRAIN["epochs"] = arguments.epochs
    on = machine()
    rounds = 1 if arguments.quick else arguments.rounds
    ratios, seconds = measure(arguments.trials, rounds, arguments.at_a_time)
    if arguments.json:
        found = {name: round(statistics.median(all_), 3) for name, all_ in ratios.items()}
        times = {name: round(statistics.median(all_), 3) for name, all_ in seconds.items()}
        print(json.dumps({"ratios": found, "seconds": times, "machine": on, "n": rounds}))
        return
    table = Table(title=f"{arguments.trials} trials, n = {rounds} rounds")
    for column in ("what", "median", "from", "to"):
        table.add_column(column)
    for name, values in (ratios | {f"{n}, seconds": s for n, s in seconds.items()}).items():
        shown = (statistics.median(values), min(values), max(values))
        table.add_row(name, *(f"{value:.3f}" for value in shown))
    console = Console()
    console.print(table)
    console.print(", ".join(f"{key} {value}" for key, value in on.items()))


if __name__ == "__main__":
    main()
