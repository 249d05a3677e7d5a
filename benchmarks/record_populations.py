"""Records the populations: trains their trials one by one and exports the results.

    python benchmarks/record_populations.py --list
    nice -n 19 python benchmarks/record_populations.py --storage RUNS --data-dir DIR
    nice -n 19 python benchmarks/record_populations.py --storage RUNS --data-dir DIR --confirm 5
    python benchmarks/record_populations.py --storage RUNS --export

The second command records, and continues after any interruption: a trial that was running begins
again and reproduces the same numbers. Everything runs in this one process and on one thread,
without Ray, so that it can take hours at the lowest priority on a busy machine; ``tune-robust
resume`` finishes the same runs with Ray. --confirm trains the best configuration of each method
again with that number of fresh seeds: the best by the metric that a search selects by if its space
names none, or by that of --by. A fresh seed draws data, noise and network anew, the same for all
draws of a population, so that only the first draw is confirmed. --export writes the finished trials
of each population into benchmarks/recorded/populations, with a card, if there are at least 24
trials, two per method on average. --only restricts the first three commands to some populations, in
the order given. DIR holds CIFAR-10's Parquet files and CIFAR-10_human.pt; the digits need none.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from judge_formulas import label_information
from population_card import write_card
from populations import CRITERIA, POPULATIONS, RECORDED, SPACE, Criterion, Population
from record import record, write

from tune_robust.config import DataConfig, TrainConfig
from tune_robust.data import Splits, load_dataset, make_splits
from tune_robust.metrics import METRICS
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.predictions import KeptPredictions, read_labels, read_predictions
from tune_robust.runs.provenance import provenance
from tune_robust.runs.store import RunStore
from tune_robust.runs.trial import Trial
from tune_robust.spaces.space import Space, load_space
from tune_robust.training import train
from tune_robust.tuning.engine.conductor import Conductor, Decision
from tune_robust.tuning.engine.slots import Slots
from tune_robust.tuning.winners.retraining import (
    confirmation_of,
    extension_of,
    open_confirmation,
)

FEWEST = 24
"""The fewest finished trials of a population that is exported."""


def space_of(population: Population, data_dir: Path | None) -> Space:
    """Return the space of one population."""
    here = [] if data_dir is None else [f"train.data.dir={data_dir}", "train.data.download=false"]
    digits = population.data == "digits"
    return load_space(SPACE, overrides=[*population.overrides, *([] if digits else here)])


def record_run(population: Population, storage: Path, data_dir: Path | None) -> None:
    """Train the remaining trials of a population's run."""
    folder = RunFolder(storage / population.name)
    folder.make()
    if folder.meta.exists():
        store = RunStore(folder)
    else:
        space = space_of(population, data_dir)
        store = RunStore.create(folder, {"space": space.document(), **provenance()})
        _note_labels(folder, _splits(space.examples[0].data, storage / ".data"))
    train_rest(store, storage / ".data")


def confirm_run(
    population: Population, storage: Path, seeds: int, criterion: Criterion | None = None
) -> None:
    """Train each method's best configuration on ``seeds`` fresh seeds, without those done.

    It is the best one by ``criterion``, by default by that of the population.
    """
    folder = RunFolder(storage / population.name)
    done = _done(_ended(folder))
    if len(done) >= FEWEST:
        scores = _scores(folder, done, criterion or population.criterion)
        best = scores.groupby(done.set_index("trial")["method"]).idxmax()
        store = open_confirmation(folder)
        extension_of(store, best, seeds).record(store)
        train_rest(store, storage / ".data")


def _scores(folder: RunFolder, done: pd.DataFrame, criterion: Criterion) -> pd.Series:
    """Return the trials' scores at their last epoch, by trial.

    The information comes from the predictions, as runs of earlier versions did not record it.
    """
    done = done.sort_values("trial").set_index("trial")
    if criterion == "val_accuracy":
        return done["val_accuracy_last"]
    found = [read_predictions(folder.predictions, trial, 1.0) for trial in done.index]
    (labels,) = {predictions.labels for predictions in found}
    given = read_labels(folder.predictions, labels).given
    probabilities = np.stack([predictions.probabilities for predictions in found])
    return pd.Series(label_information(probabilities, given), done.index)


def train_rest(store: RunStore, cache: Path) -> None:
    """Train the trials of a run that have not ended, one after the other."""
    space = Space.from_document(_document(store.folder))
    conductor = Conductor(space, store, threads=1)
    try:
        conductor.give(Slots(cpus=1, gpus=0.0, concurrency=1))
        while (trial := conductor.next_trial()) is not None:
            began = time.monotonic()
            _train(trial, conductor, cache)
            score = trial.last.get("val_accuracy") or math.nan
            took = f"{score:.3f} {time.monotonic() - began:.0f} s"
            print(f"{store.folder.path} {trial.name} {trial.status} {took}", flush=True)
    finally:
        conductor.close()


def _train(trial: Trial, conductor: Conductor, cache: Path) -> None:
    """Train one trial, without checkpoints: it is short and reproducible."""
    config = TrainConfig.model_validate(trial.config)
    splits = _splits(config.data, cache)
    place, moments = conductor.store.folder.predictions, conductor.space.record.predictions
    epochs = config.total_epochs
    kept = KeptPredictions(place, trial.name, moments, epochs, conductor.objective, trial.config)
    for result in train(config, device="cpu", splits=splits):
        kept.save(result, splits.validation)
        reliability = result.reliability if result.epoch == epochs else None
        metrics = result.metrics
        decision = conductor.on_epoch(trial.name, result.epoch, metrics, reliability=reliability)
        if decision is Decision.END:
            return


@lru_cache(maxsize=1)
def _splits(data: DataConfig, cache: Path) -> Splits:
    return make_splits(data, load_dataset(data, cache))


def _note_labels(folder: RunFolder, splits: Splits) -> None:
    """Record in run.json the number of images and the fraction of wrong labels of each part."""
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    facts = {
        "images": {name: len(part) for name, part in parts.items()},
        "wrong_labels": {name: part.noisy.float().mean().item() for name, part in parts.items()},
    }
    folder.write_meta(folder.read_meta() | facts)


def export(storage: Path, out: Path) -> Iterator[str]:
    """Write the populations with enough trials and the card into ``out``, and yield their names.

    Of a run that was begun with more trials than are planned now, the first ones are written.
    """
    for name, population in POPULATIONS.items():
        folder = RunFolder(storage / name)
        planned = space_of(population, None).budget.trials
        ended = _ended(folder).sort_values("trial")[:planned]
        if len(ended) >= FEWEST:
            record(folder.path, out / name, [*METRICS], trials=ended["trial"].tolist())
            _write_space(folder, RunFolder(out / name), planned)
            _write_predictions(folder, _done(ended)["trial"], out / name)
            if population.draw == 0:
                _write_confirmation(folder, out / name)
            yield name
    write_card(out)


def _document(folder: RunFolder) -> dict[str, Any]:
    """Return the document of a run's space.

    The first populations were begun when spaces had no format yet, but their presets were those of
    format 2 already, as the configurations of their trials show.
    """
    return {"format": 2, **folder.read_meta()["space"]}


def _write_space(folder: RunFolder, out: RunFolder, planned: int) -> None:
    meta = out.read_meta()
    meta["space"]["format"] = _document(folder)["format"]
    meta["space"]["budget"]["trials"] = planned
    out.write_meta(meta)


def _ended(folder: RunFolder) -> pd.DataFrame:
    """Return the trials that have ended by the run's table, which may lag behind a live run."""
    if not folder.trials.exists():
        return pd.DataFrame(columns=["trial", "status"])
    table = pd.read_parquet(folder.trials)
    return table[table["status"].isin(["done", "failed"])]


def _done(trials: pd.DataFrame) -> pd.DataFrame:
    return trials[trials["status"] == "done"]


def _write_confirmation(folder: RunFolder, out: Path) -> None:
    """Write the results on fresh seeds that have ended, if there are any."""
    again = _done(_ended(confirmation_of(folder)))
    if again.empty:
        return
    columns = ["confirms", "method", "seed", "val_accuracy_last", "test_accuracy"]
    names = {"confirms": "trial", "val_accuracy_last": "val_accuracy"}
    table = again[columns].rename(columns=names)
    write(pa.Table.from_pandas(table, preserve_index=False), out / "confirmed.parquet")


def _write_predictions(folder: RunFolder, trials: Sequence[str], out: Path) -> None:
    space = Space.from_document(_document(folder))
    found = {
        (trial, moment): read_predictions(folder.predictions, trial, moment)
        for trial in trials
        for moment in space.record.predictions
    }
    (labels,) = {predictions.labels for predictions in found.values()}
    write(pa.table(read_labels(folder.predictions, labels)._asdict()), out / "labels.parquet")
    probabilities = np.stack([predictions.probabilities.ravel() for predictions in found.values()])
    columns = {
        "trial": [trial for trial, _ in found],
        "moment": [moment for _, moment in found],
        "epoch": pa.array([predictions.epoch for predictions in found.values()], pa.int16()),
        "images": [len(predictions.probabilities) for predictions in found.values()],
        "probabilities": pa.FixedSizeListArray.from_arrays(
            pa.array(probabilities.ravel()), probabilities.shape[1]
        ),
    }
    write(pa.table(columns), out / "predictions.parquet")


def _listed(populations: Iterable[Population]) -> None:
    for population in populations:
        print(f"{population.name} ({population.mark})\n  {population.command}")


def main() -> None:
    """Record, list or export the populations."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--storage", type=Path, default=Path("runs"), help="where the runs lie")
    parser.add_argument("--data-dir", type=Path, help="where CIFAR-10 and CIFAR-10_human.pt lie")
    parser.add_argument("--only", nargs="+", choices=POPULATIONS, metavar="NAME", help="of all")
    parser.add_argument("--confirm", type=int, metavar="SEEDS", help="train the best again")
    parser.add_argument("--by", choices=CRITERIA, help="what --confirm selects by")
    parser.add_argument("--list", action="store_true", help="print the populations' commands")
    parser.add_argument("--export", action="store_true", help="write what there is")
    parser.add_argument(
        "--out", type=Path, default=RECORDED, help="the folder that --export writes"
    )
    arguments = parser.parse_args()
    chosen = [POPULATIONS[name] for name in arguments.only or POPULATIONS]
    if arguments.list:
        _listed(chosen)
    elif arguments.export:
        for name in export(arguments.storage, arguments.out):
            print(f"exported {name}")
    else:
        for population in chosen:
            if population.data != "digits" and arguments.data_dir is None:
                continue
            if arguments.confirm and population.draw == 0:
                confirm_run(population, arguments.storage, arguments.confirm, arguments.by)
            elif not arguments.confirm:
                record_run(population, arguments.storage, arguments.data_dir)


if __name__ == "__main__":
    main()
