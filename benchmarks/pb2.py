"""Schedules found while training (PB2) beside searched ones and none, at equal compute.

    python benchmarks/pb2.py                                 # the table from the recorded searches
    python benchmarks/pb2.py --seeds 20                      # and run further ones
    python benchmarks/pb2.py --data cifar10 --data-dir DIR --seeds 5
    python benchmarks/pb2.py --quick --json                  # a few seconds, figures of no use

SANER's rho, alpha and learning rate with wrong labels: on the digits, half of whose labels are
drawn at random, or on CIFAR-10N (worse) at 16x16 pixels, as in the populations ``cifar10_worse``
(DIR holds CIFAR-10's Parquet files and CIFAR-10_human.pt). Three searches by this library get the
compute of as many complete trainings (8, or ``--trainings``), in gradient evaluations:

- ``pb2``: a population of so many networks (``budget.scheduler: pb2``).
- ``knots``: a search (``gp_mf`` with ``promotion``) of rho as a curve through five knots, and of
  alpha and the learning rate.
- ``constant``: the same search of constant settings.

A trial that has not finished within the compute does not count. All choose by the accuracy on the
noisy validation set after the last epoch. A seed is that of the split and the label noise, which
the three share, and of the searches. Printed are the mean test accuracies of the chosen networks,
and the mean differences of ``pb2`` from the others with 95 % intervals (Student's t), over the
seeds of which all three have run. What has run is appended to ``--results``
(benchmarks/recorded/pb2.jsonl), and not run again. ``ratios``: the error of ``pb2`` over theirs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from populations import POPULATIONS
from timing import machine

from tune_robust.config import TrainConfig, parse_config
from tune_robust.data import Splits, load_dataset, make_splits
from tune_robust.errors import UserError
from tune_robust.runs.trial import Trial
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

KNOTS = ("quarter", "half", "three_quarters", "end")

SEEDS_APART = 100
"""The difference between the seeds of the trainings of two searches."""

SEARCHES = ("pb2", "knots", "constant")


class Outcome(NamedTuple):
    """What a search has chosen, and the compute that it took in gradient evaluations."""

    test_accuracy: float
    compute: float


def main() -> None:
    """Run the searches that are not among the results and print what was chosen."""
    options = _options()
    found = _read(options.results)
    try:
        for name, seed in product(SEARCHES, range(options.seeds)):
            outcomes = found.setdefault((options.data, seed), {})
            if name not in outcomes:
                outcomes[name] = _searched(name, seed, options)
                _append(options.results, options.data, seed, {name: outcomes[name]})
    except UserError as error:
        print(f"{options.data} is skipped: {error}", file=sys.stderr)
    documents = {name: _document(seeds) for name, seeds in _by_data(found).items()}
    whole = {"ratios": {name: one["ratios"] for name, one in documents.items()}}
    whole |= {"trainings": options.trainings, "data": documents, "machine": machine()}
    print(json.dumps(whole, indent=2) if options.json else _text(documents))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", choices=DATA, default="digits")
    parser.add_argument("--data-dir", type=Path, help="where CIFAR-10 and its human labels are")
    parser.add_argument("--seeds", type=int, default=0, help="of the searches; 0 trains nothing")
    parser.add_argument("--trainings", type=int, default=8, help="the compute of each search")
    parser.add_argument("--epochs", type=int, help="of a training")
    parser.add_argument("--results", type=Path, default=RECORDED, help="append to this")
    parser.add_argument("--quick", action="store_true", help="a few seconds, figures of no use")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.trainings, options.seeds, options.epochs = 4, 1, 8
        options.results = None
    return options


def _searched(name: str, seed: int, options: argparse.Namespace) -> Outcome:
    space = _space(name, seed, options)
    splits = make_splits(space.examples[0].data, load_dataset(space.examples[0].data))
    return _search(space, splits, options.trainings * space.max_resource)


def _space(name: str, seed: int, options: argparse.Namespace) -> Space:
    """Return the space of a search, without known points."""
    overrides = [
        *DATA[options.data],
        *_OVERRIDES[name],
        "search.optimizer.lr={log_uniform: [0.01, 0.2]}",
        "search.saner.k=null",
        f"train.data.seed={seed}",
        f"train.seed={SEEDS_APART * seed}",
        "baselines=[]",
        "known=[]",
    ]
    budget = "unit: gradient_evaluations"
    if name == "pb2":
        overrides += [
            f"budget={{trials: {options.trainings}, {budget}, scheduler: pb2}}",
            f"searcher={{seed: {seed}}}",
        ]
    else:
        overrides += [
            f"budget={{trials: {10 * options.trainings}, {budget}, scheduler: promotion}}",
            f"searcher={{name: gp_mf, seed: {seed}}}",
        ]
    if options.epochs is not None:
        overrides.append(f"train.epochs={options.epochs}")
    if options.data_dir is not None:
        overrides += [f"train.data.dir={options.data_dir}", "train.data.download=false"]
    return load_space("saner_digits", overrides=overrides)


_OVERRIDES = {
    "pb2": (),
    "knots": (
        "train.sam.rho_schedule=piecewise_linear",
        *(f"search.sam.rho_schedule.{knot}={{uniform: [0.0, 2.0]}}" for knot in KNOTS),
    ),
    "constant": (),
}


def _search(space: Space, splits: Splits, most: float) -> Outcome:
    """Return the best trial that ends in a search with a compute of at most ``most``."""
    conductor = Conductor(space, MemoryStore(), threads=1)
    conductor.give(Slots(cpus=1, gpus=0.0, concurrency=1))
    paused: dict[tuple[str, int], Checkpoint] = {}
    compute = 0.0
    while compute < most and (trial := conductor.next_trial()) is not None:
        start = paused.get(_start(trial))
        used = compute - _used(start)
        with closing(_epochs(parse_config(trial.config), splits, start)) as epochs:
            for result in epochs:
                compute = used + result.metrics["gradient_evaluations"]
                if compute > most:
                    break
                if conductor.on_epoch(trial.name, result.epoch, result.metrics) is Decision.END:
                    paused[trial.name, result.epoch] = result.snapshot().checkpoint()
                    break
    ended = [trial.last for trial in conductor.trials.values() if trial.status == "done"]
    best = max(ended, key=lambda last: last["val_accuracy"])
    return Outcome(best["test_accuracy"], min(compute, most))


def _start(trial: Trial) -> tuple[str, int]:
    """Return the trial and the epoch whose checkpoint a trial continues, epoch 0 if none."""
    if trial.continues is not None and not trial.epochs:
        return trial.continues.trial, trial.continues.epoch
    return trial.name, trial.epoch


def _epochs(config: TrainConfig, splits: Splits, start: Checkpoint | None) -> Iterator[EpochResult]:
    """Yield the epochs of a training, or those after ``start``."""
    if start is None:
        yield from train(config, device="cpu", splits=splits)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "start.pt"
        write_checkpoint(path, start)
        yield from train(config, resume=path, device="cpu", splits=splits)


def _used(checkpoint: Checkpoint | None) -> float:
    return 0.0 if checkpoint is None else checkpoint.metrics["gradient_evaluations"]


# --- the results ----------------------------------------------------------------------------------

Outcomes = dict[tuple[str, int], dict[str, Outcome]]
"""By data set and seed, those of the searches by their names."""


def _read(path: Path | None) -> Outcomes:
    found: Outcomes = {}
    for line in path.read_text().splitlines() if path is not None and path.exists() else ():
        data, seed, outcomes = json.loads(line)
        searches = {name: Outcome(**outcome) for name, outcome in outcomes.items()}
        found.setdefault((data, seed), {}).update(searches)
    return found


def _append(path: Path | None, data: str, seed: int, outcomes: Mapping[str, Outcome]) -> None:
    if path is not None:
        plain = {name: outcome._asdict() for name, outcome in outcomes.items()}
        with path.open("a") as file:
            file.write(json.dumps([data, seed, plain]) + "\n")


def _by_data(found: Outcomes) -> dict[str, list[dict[str, Outcome]]]:
    """Return the seeds of each data set of which all searches have run."""
    by_data: dict[str, list[dict[str, Outcome]]] = {}
    for (data, _), outcomes in found.items():
        if outcomes.keys() >= {*SEARCHES}:
            by_data.setdefault(data, []).append(outcomes)
    return by_data


def _document(seeds: Sequence[Mapping[str, Outcome]]) -> dict[str, Any]:
    tested = {name: np.array([one[name].test_accuracy for one in seeds]) for name in SEARCHES}
    ours, *others = SEARCHES
    return {
        "ratios": {n: (1 - tested[ours].mean()) / (1 - tested[n].mean()) for n in others},
        **{name: _estimated(values) for name, values in tested.items()},
        "difference": {name: _estimated(tested[ours] - tested[name]) for name in others},
    }


def _estimated(values: Sequence[float]) -> dict[str, Any]:
    found = estimate(values)
    assert found is not None  # there is a pair
    return found._asdict()


def _text(documents: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        "| | seeds | PB2 | searched knots | constant | PB2 - knots | PB2 - constant |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, document in documents.items():
        found = [*(document[search] for search in SEARCHES), *document["difference"].values()]
        cells = [Estimate(**one).as_text(lambda value: f"{100 * value:.2f}") for one in found]
        lines.append(f"| {name} | {found[0]['n']} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", "Test accuracy in %, differences in points; 95 % intervals."])


if __name__ == "__main__":
    main()
