"""Schedules found while training (PB2) beside searched ones, at equal compute.

    python benchmarks/pb2.py [--trainings 8] [--seeds 10] [--results FILE] [--quick] [--json]

SANER's rho, alpha and learning rate on the digits, half of whose labels are wrong. Two searches get
the compute of as many complete trainings, in gradient evaluations:

- ``pb2``: population-based bandits (Parker-Holder et al. 2020). All members of a population train
  side by side; after every eighth of a training, the worst quarter continue from checkpoints of the
  best quarter with a rho, alpha and learning rate that Ray's PB2 selects.
- ``knots``: a search by this library, with its defaults, of rho as a curve through five knots, and
  of alpha and the learning rate.

Both choose by the accuracy on the noisy validation set after the last epoch. Printed are the mean
test accuracies of the chosen networks with standard errors, and the mean difference of pairs with
equal seeds. With ``--results``, each pair is appended to a file, and one that is there already is
not run again. ``ratios``: the error of ``pb2`` over that of ``knots``.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from timing import machine

from tune_robust.config import Constant, TrainConfig
from tune_robust.data import Splits, load_dataset, make_splits
from tune_robust.spaces.space import Space, load_space
from tune_robust.training import train
from tune_robust.training.checkpoints import Checkpoint, write_checkpoint
from tune_robust.training.loop import EpochResult
from tune_robust.tuning.engine.conductor import Conductor, Decision
from tune_robust.tuning.engine.slots import Slots
from tune_robust.tuning.simulation.memory_store import MemoryStore

BOUNDS = {
    "sam.rho": (math.log10(0.03), math.log10(3.0)),
    "saner.alpha": (0.0, 1.0),
    "optimizer.lr": (math.log10(0.01), math.log10(0.2)),
}
"""The range of each setting of a member, for rho and the learning rate as decimal logarithms."""

LOGARITHMIC = {"sam.rho", "optimizer.lr"}

INTERVALS = 8
"""The number of intervals of a training, after which members may be replaced."""

QUARTER = 0.25

KNOTS = ("quarter", "half", "three_quarters", "end")

SEEDS_APART = 100
"""The difference between the seeds of the trainings of two searches."""

CHANCE = 0.1
"""The accuracy before the first epoch."""


@dataclass
class Member:
    """One network of the population: its settings, in the order of ``BOUNDS``, and its state."""

    settings: np.ndarray
    checkpoint: Checkpoint | None = None
    scores: list[float] = field(default_factory=lambda: [CHANCE])


def main() -> None:
    """Run the pairs and print what was chosen."""
    warnings.simplefilter("ignore")  # scikit-learn's, about the bounds of PB2's kernel
    options = _options()
    found = _read(options.results)
    for seed in range(options.seeds):
        if seed not in found:
            found[seed] = _pair(seed, options)
            _append(options.results, seed, found[seed])
    document = _document([found[seed] for seed in range(options.seeds)], options)
    print(json.dumps(document, indent=2) if options.json else _text(document))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trainings", type=int, default=8, help="the compute of each search")
    parser.add_argument("--seeds", type=int, default=10, help="pairs of searches")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--results", type=Path, help="append the pairs to this file")
    parser.add_argument("--quick", action="store_true", help="a few seconds, figures of no use")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.trainings, options.seeds, options.epochs = 4, 1, INTERVALS
    return options


def _pair(seed: int, options: argparse.Namespace) -> dict[str, float]:
    searched = _searched(seed, options)
    config = searched.config_for({}, threads=1)
    constant = config.sam.model_copy(update={"rho_schedule": Constant()})
    plain = config.model_copy(update={"sam": constant})
    splits = make_splits(config.data, load_dataset(config.data))
    return {
        "pb2": _pb2(plain, splits, seed, members=options.trainings),
        "knots": _knots(searched, splits, options.trainings * searched.max_resource),
    }


def _searched(seed: int, options: argparse.Namespace) -> Space:
    """Return a space with ``tpe`` and ``asha``, without known points."""
    return load_space(
        "saner_digits",
        overrides={
            "train.epochs": options.epochs,
            "train.batch_size": 128,
            "train.sam.rho_schedule": "piecewise_linear",
            **{f"search.sam.rho_schedule.{knot}": {"uniform": [0.0, 2.0]} for knot in KNOTS},
            "search.optimizer.lr": {"log_uniform": [0.01, 0.2]},
            "search.saner.k": None,
            "baselines": [],
            "known": [],
            "budget": {"trials": 10 * options.trainings, "scheduler": "asha"},
            "searcher": {"name": "tpe", "seed": seed},
        },
    )


# --- PB2 ------------------------------------------------------------------------------------------


def _pb2(config: TrainConfig, splits: Splits, seed: int, *, members: int) -> float:
    """Return the test accuracy of the best member of a population by its last score."""
    np.random.seed(seed)  # Ray's PB2 uses NumPy's global generator
    population = [Member(_drawn()) for _ in range(members)]
    seen: list[list[float]] = []  # time and score before an interval, the settings, what it gained
    for interval in range(INTERVALS):
        for number, member in enumerate(population):
            own = _with(config, member.settings, seed=SEEDS_APART * seed + number)
            member.checkpoint = _interval(own, splits, member.checkpoint)
            member.scores.append(member.checkpoint.metrics["val_accuracy"])
            before, after = member.scores[-2:]
            seen.append([interval, before, *member.settings, after - before])
        if interval < INTERVALS - 1:
            _exploit(population, seen, interval + 1)
    best = max(population, key=lambda member: member.scores[-1])
    return best.checkpoint.metrics["test_accuracy"]


def _drawn() -> np.ndarray:
    low, high = np.array(list(BOUNDS.values())).T
    return low + np.random.random(len(low)) * (high - low)


def _with(config: TrainConfig, settings: np.ndarray, *, seed: int) -> TrainConfig:
    document = config.model_dump(mode="json") | {"seed": seed}
    for path, value in zip(BOUNDS, settings, strict=True):
        part, name = path.split(".")
        document[part][name] = float(10**value if path in LOGARITHMIC else value)
    return TrainConfig.model_validate(document)


def _interval(config: TrainConfig, splits: Splits, start: Checkpoint | None) -> Checkpoint:
    """Train for an eighth of the epochs, from the state ``start`` if there is one."""
    with tempfile.TemporaryDirectory() as folder:
        path = None
        if start is not None:
            path = Path(folder) / "start.pt"
            write_checkpoint(path, replace(start, config=config.model_dump(mode="json")))
        epochs = train(config, resume=path, device="cpu", splits=splits)
        result = _last(epochs, config.epochs // INTERVALS)
        return result.snapshot().checkpoint()


def _last(epochs: Any, count: int) -> EpochResult:
    for _ in range(count - 1):
        next(epochs)
    return next(epochs)


def _exploit(population: list[Member], seen: list[list[float]], time: int) -> None:
    """Let the worst quarter continue from the best quarter with settings that PB2 selects."""
    # Slow to import.
    from ray.tune.schedulers.pb2 import _select_config

    ranked = sorted(population, key=lambda member: member.scores[-1])
    count = math.ceil(QUARTER * len(ranked))
    rows = np.array(seen)
    current = np.array([member.settings for member in ranked[count:]])
    for worst in ranked[:count]:
        base = ranked[-1 - np.random.randint(count)]
        worst.checkpoint, worst.scores = base.checkpoint, [*base.scores]
        place = np.array([time, base.scores[-1]])
        given: dict[str, Any] = BOUNDS
        try:
            chosen = _select_config(rows[:, :-1], rows[:, -1], current, place, given, num_f=2)
        except np.linalg.LinAlgError:  # of equal settings at equal times, its model is singular
            chosen = _drawn()
        worst.settings = chosen
        current = np.concatenate([current, chosen[None]])


# --- searched knots -------------------------------------------------------------------------------


def _knots(space: Space, splits: Splits, compute: float) -> float:
    """Return the test accuracy of the best trial that ends in a search within ``compute``."""
    conductor = Conductor(space, MemoryStore(), threads=1)
    conductor.give(Slots(cpus=1, gpus=0.0, concurrency=1))
    spent, ended = 0.0, list[Mapping[str, float | None]]()
    while spent < compute and (trial := conductor.next_trial()) is not None:
        own = space.config_for(trial.values, threads=1)
        own = own.model_copy(update={"seed": SEEDS_APART * space.searcher.seed + trial.number})
        for epoch, result in enumerate(train(own, device="cpu", splits=splits), 1):
            if conductor.on_epoch(trial.name, epoch, result.metrics) is not Decision.GO_ON:
                break
        spent += trial.last["gradient_evaluations"]
        if trial.status == "done" and spent <= compute:
            ended.append(trial.last)
    return max(ended, key=lambda last: last["val_accuracy"])["test_accuracy"]


# --- the results ----------------------------------------------------------------------------------


def _read(path: Path | None) -> dict[int, dict[str, float]]:
    lines = path.read_text().splitlines() if path is not None and path.exists() else ()
    return dict(map(json.loads, lines))


def _append(path: Path | None, seed: int, pair: dict[str, float]) -> None:
    if path is not None:
        with path.open("a") as file:
            file.write(json.dumps([seed, pair]) + "\n")


def _document(pairs: Sequence[Mapping[str, float]], options: argparse.Namespace) -> dict[str, Any]:
    pb2, knots = (np.array([pair[name] for pair in pairs]) for name in ("pb2", "knots"))
    return {
        "ratios": {"pb2_over_knots": float((1 - pb2).mean() / (1 - knots).mean())},
        "test_accuracy": {"pb2": _mean(pb2), "knots": _mean(knots)},
        "difference": _mean(pb2 - knots),
        "n": len(pairs),
        "trainings": options.trainings,
        "machine": machine(),
    }


def _mean(values: np.ndarray) -> dict[str, float | None]:
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else None
    return {"mean": float(values.mean()), "standard_error": error}


def _text(document: Mapping[str, Any]) -> str:
    found = {**document["test_accuracy"], "difference": document["difference"]}
    lines = [
        f"{document['n']} pairs, each search with the compute of {document['trainings']} trainings"
    ]
    for name, value in found.items():
        error = value["standard_error"]
        error = "" if error is None else f" ± {100 * error:.2f}"
        lines.append(f"  {name:<11} {100 * value['mean']:.2f}{error} % test accuracy")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
