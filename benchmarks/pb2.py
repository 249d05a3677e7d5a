"""Schedules found while training (PB2) beside searched ones, at equal compute.

    python benchmarks/pb2.py                                 # the table from the recorded pairs
    python benchmarks/pb2.py --seeds 20                      # and train further ones
    python benchmarks/pb2.py --data cifar10 --data-dir DIR --seeds 5
    python benchmarks/pb2.py --quick --json                  # a few seconds, figures of no use

SANER's rho, alpha and learning rate with wrong labels: on the digits, half of whose labels are
drawn at random, or on CIFAR-10N (worse) at 16x16 pixels, as in the populations ``cifar10_worse``
(DIR holds CIFAR-10's Parquet files and CIFAR-10_human.pt). Two searches get the compute of as many
complete trainings (8, or ``--trainings``), in gradient evaluations:

- ``pb2``: population-based bandits (Parker-Holder et al. 2020). All members of a population train
  side by side; after every eighth of a training, the worst quarter continue from checkpoints of the
  best quarter with a rho, alpha and learning rate that Ray's PB2 selects.
- ``knots``: a search by this library (``gp_mf`` with ``promotion``) of rho as a curve through five
  knots, and of alpha and the learning rate. A trial that has not finished within the compute does
  not count.

Both choose by the accuracy on the noisy validation set after the last epoch. A pair's seed is that
of the split and the label noise, which the two share, and of the searches. Printed are the mean
test accuracies of the chosen networks, and the mean difference of the pairs with its 95 % interval
(Student's t). Each pair is appended to ``--results`` (benchmarks/recorded/pb2.jsonl), and one that
is there already is not run again. ``ratios``: the error of ``pb2`` over that of ``knots``.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from populations import POPULATIONS
from timing import machine

from tune_robust.config import Constant, TrainConfig
from tune_robust.data import Splits, load_dataset, make_splits
from tune_robust.errors import UserError
from tune_robust.spaces.space import Space, load_space
from tune_robust.statistics import Estimate, estimate
from tune_robust.training import train
from tune_robust.training.checkpoints import Checkpoint, write_checkpoint
from tune_robust.training.loop import EpochResult
from tune_robust.tuning.engine.conductor import Conductor, Decision
from tune_robust.tuning.engine.slots import Slots
from tune_robust.tuning.simulation.memory_store import MemoryStore

RECORDED = Path(__file__).parent / "recorded" / "pb2.jsonl"

DATA = {
    "digits": ("train.batch_size=128", "train.epochs=40"),
    "cifar10": (
        *POPULATIONS["cifar10_worse_1"].overrides,
        "train.batch_size=64",
        "train.epochs=16",
    ),
}
"""Changes to the space ``saner_digits``, by data set."""

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


class Outcome(NamedTuple):
    """What a search has chosen, and the compute that it took in gradient evaluations."""

    test_accuracy: float
    compute: float


@dataclass
class Member:
    """One network of the population: its settings, in the order of ``BOUNDS``, and its state.

    ``scores`` are those of the network, also from before it was copied from another member.
    """

    settings: np.ndarray
    checkpoint: Checkpoint | None = None
    scores: list[float] = field(default_factory=lambda: [CHANCE])


def main() -> None:
    """Run the pairs that are not among the results and print what was chosen."""
    warnings.simplefilter("ignore")  # scikit-learn's, about the bounds of PB2's kernel
    options = _options()
    found = _read(options.results)
    try:
        for seed in range(options.seeds):
            if (options.data, seed) not in found:
                pair = _pair(seed, options)
                found[options.data, seed] = pair
                _append(options.results, options.data, seed, pair)
    except UserError as error:
        print(f"{options.data} is skipped: {error}", file=sys.stderr)
    documents = {name: _document(pairs) for name, pairs in _by_data(found).items()}
    whole = {"ratios": {name: one["ratio"] for name, one in documents.items()}}
    whole |= {"trainings": options.trainings, "data": documents, "machine": machine()}
    print(json.dumps(whole, indent=2) if options.json else _text(documents))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", choices=DATA, default="digits")
    parser.add_argument("--data-dir", type=Path, help="where CIFAR-10 and its human labels are")
    parser.add_argument("--seeds", type=int, default=0, help="pairs of searches; 0 trains nothing")
    parser.add_argument("--trainings", type=int, default=8, help="the compute of each search")
    parser.add_argument("--epochs", type=int, help="of a training; a multiple of 8")
    parser.add_argument("--results", type=Path, default=RECORDED, help="append the pairs to this")
    parser.add_argument("--quick", action="store_true", help="a few seconds, figures of no use")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.trainings, options.seeds, options.epochs = 4, 1, INTERVALS
        options.results = None
    return options


def _pair(seed: int, options: argparse.Namespace) -> dict[str, Outcome]:
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
    """Return the space of a pair, without known points."""
    unit = "unit: gradient_evaluations"
    overrides = [
        *DATA[options.data],
        "train.sam.rho_schedule=piecewise_linear",
        *(f"search.sam.rho_schedule.{knot}={{uniform: [0.0, 2.0]}}" for knot in KNOTS),
        "search.optimizer.lr={log_uniform: [0.01, 0.2]}",
        "search.saner.k=null",
        f"train.data.seed={seed}",
        "baselines=[]",
        "known=[]",
        f"budget={{trials: {10 * options.trainings}, {unit}, scheduler: promotion}}",
        f"searcher={{name: gp_mf, seed: {seed}}}",
    ]
    if options.epochs is not None:
        overrides.append(f"train.epochs={options.epochs}")
    if options.data_dir is not None:
        overrides += [f"train.data.dir={options.data_dir}", "train.data.download=false"]
    return load_space("saner_digits", overrides=overrides)


def _epochs(config: TrainConfig, splits: Splits, start: Checkpoint | None) -> Iterator[EpochResult]:
    """Yield the epochs of a training, or those after ``start``, of another configuration if any."""
    if start is None:
        yield from train(config, device="cpu", splits=splits)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "start.pt"
        write_checkpoint(path, replace(start, config=config.model_dump(mode="json")))
        yield from train(config, resume=path, device="cpu", splits=splits)


def _used(checkpoint: Checkpoint | None) -> float:
    return 0.0 if checkpoint is None else checkpoint.metrics["gradient_evaluations"]


# --- PB2 ------------------------------------------------------------------------------------------


def _pb2(config: TrainConfig, splits: Splits, seed: int, *, members: int) -> Outcome:
    """Return the best member of a population by its last score."""
    np.random.seed(seed)  # Ray's PB2 uses NumPy's global generator
    population = [Member(_drawn()) for _ in range(members)]
    seen: list[list[float]] = []  # time and score before an interval, the settings, what it gained
    compute = 0.0
    for interval in range(INTERVALS):
        for number, member in enumerate(population):
            own = _with(config, member.settings, seed=SEEDS_APART * seed + number)
            start, member.checkpoint = member.checkpoint, _interval(own, splits, member.checkpoint)
            compute += _used(member.checkpoint) - _used(start)
            member.scores.append(member.checkpoint.metrics["val_accuracy"])
            before, after = member.scores[-2:]
            seen.append([interval, before, *member.settings, after - before])
        if interval < INTERVALS - 1:
            _exploit(population, seen, interval + 1)
    best = max(population, key=lambda member: member.scores[-1])
    return Outcome(best.checkpoint.metrics["test_accuracy"], compute)


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
    with closing(_epochs(config, splits, start)) as epochs:
        for _ in range(config.epochs // INTERVALS):
            result = next(epochs)
        return result.snapshot().checkpoint()


def _exploit(population: list[Member], seen: list[list[float]], time: int) -> None:
    """Let the worst quarter continue from the best quarter with settings that PB2 selects."""
    ranked = sorted(population, key=lambda member: member.scores[-1])
    count = math.ceil(QUARTER * len(ranked))
    rows = np.array(seen)
    current = np.array([member.settings for member in ranked[count:]])
    for worst in ranked[:count]:
        base = ranked[-1 - np.random.randint(count)]
        worst.checkpoint, worst.scores = base.checkpoint, [*base.scores]
        place = np.array([time, base.scores[-1]])
        worst.settings = _selected(rows, current, place)
        current = np.concatenate([current, worst.settings[None]])


def _selected(rows: np.ndarray, current: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return the settings that PB2 selects.

    Args:
        rows: what was seen: time, score before, settings and gain, (n, 2 + settings + 1).
        current: the settings of members that continue, (m, settings).
        place: time and score from which the member starts.
    """
    # Slow to import.
    from ray.tune.schedulers.pb2 import _select_config

    bounds: dict[str, Any] = BOUNDS
    try:
        return _select_config(rows[:, :-1], rows[:, -1], current, place, bounds, num_f=2)
    except np.linalg.LinAlgError:  # of equal settings at equal times, its model is singular
        return _drawn()


# --- searched knots -------------------------------------------------------------------------------


def _knots(space: Space, splits: Splits, most: float) -> Outcome:
    """Return the best trial that ends in a search with a compute of at most ``most``."""
    conductor = Conductor(space, MemoryStore(), threads=1)
    conductor.give(Slots(cpus=1, gpus=0.0, concurrency=1))
    paused: dict[str, Checkpoint] = {}
    compute = 0.0
    while compute < most and (trial := conductor.next_trial()) is not None:
        own = space.config_for(trial.values, threads=1)
        own = own.model_copy(update={"seed": SEEDS_APART * space.searcher.seed + trial.number})
        start = paused.pop(trial.name, None)
        used = compute - _used(start)
        with closing(_epochs(own, splits, start)) as epochs:
            for result in epochs:
                compute = used + result.metrics["gradient_evaluations"]
                if compute > most:
                    break
                if conductor.on_epoch(trial.name, result.epoch, result.metrics) is Decision.END:
                    paused[trial.name] = result.snapshot().checkpoint()
                    break
    ended = [trial.last for trial in conductor.trials.values() if trial.status == "done"]
    best = max(ended, key=lambda last: last["val_accuracy"])
    return Outcome(best["test_accuracy"], min(compute, most))


# --- the results ----------------------------------------------------------------------------------

Pairs = dict[tuple[str, int], dict[str, Outcome]]
"""Pairs by data set and seed, each by the names of its searches."""


def _read(path: Path | None) -> Pairs:
    lines = path.read_text().splitlines() if path is not None and path.exists() else ()
    return {
        (data, seed): {name: Outcome(**outcome) for name, outcome in pair.items()}
        for data, seed, pair in map(json.loads, lines)
    }


def _append(path: Path | None, data: str, seed: int, pair: Mapping[str, Outcome]) -> None:
    if path is not None:
        plain = {name: outcome._asdict() for name, outcome in pair.items()}
        with path.open("a") as file:
            file.write(json.dumps([data, seed, plain]) + "\n")


def _by_data(found: Pairs) -> dict[str, list[dict[str, Outcome]]]:
    names = dict.fromkeys(data for data, _ in found)
    return {name: [pair for (data, _), pair in found.items() if data == name] for name in names}


def _document(pairs: Sequence[Mapping[str, Outcome]]) -> dict[str, Any]:
    tested = {name: [pair[name].test_accuracy for pair in pairs] for name in ("pb2", "knots")}
    apart = [a - b for a, b in zip(*tested.values(), strict=True)]
    errors = [1 - np.mean(values) for values in tested.values()]
    return {
        "ratio": float(errors[0] / errors[1]),
        **{name: _estimated(values) for name, values in tested.items()},
        "difference": _estimated(apart),
    }


def _estimated(values: Sequence[float]) -> dict[str, Any]:
    found = estimate(values)
    assert found is not None  # there is a pair
    return found._asdict()


def _text(documents: Mapping[str, Mapping[str, Any]]) -> str:
    lines = ["| | pairs | PB2 | searched knots | difference |", "|---|---|---|---|---|"]
    for name, document in documents.items():
        cells = [
            Estimate(**document[part]).as_text(lambda value: f"{100 * value:.2f}")
            for part in ("pb2", "knots", "difference")
        ]
        lines.append(f"| {name} | {document['difference']['n']} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", "Test accuracy in %, differences in points; 95 % intervals."])


if __name__ == "__main__":
    main()
