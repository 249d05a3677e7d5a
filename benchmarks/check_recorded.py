"""Trains random recorded trials again and compares every number exactly.

    python benchmarks/check_recorded.py --trials 10 --data-dir DIR

Compared are all metrics of all epochs except the measured times and those that the version that
recorded the trial did not have, and the predictions at every recorded moment. The exit status is 1
if any number differs. DIR holds CIFAR-10's Parquet files and CIFAR-10_human.pt; without it, only
trials on the digits are drawn. Numbers are expected to be equal on the kind of processor and with
the version of PyTorch that recorded them, which are printed beside this machine's.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import sys
from pathlib import Path

import numpy as np
import torch
from populations import RECORDED, Recorded, load, recorded

from tune_robust.config import TrainConfig, parse_config
from tune_robust.data import load_dataset, make_splits
from tune_robust.metrics import METRICS, TIMINGS
from tune_robust.runs.predictions import epoch_of
from tune_robust.training import train


def differences(population: Recorded, trial: str, data_dir: Path | None) -> list[str]:
    """Return what differs when ``trial`` is trained again, as in "epoch 3: val_loss"."""
    config = _config(population, trial, data_dir)
    rows = population.epochs[population.epochs["trial"] == trial].set_index("epoch")
    moments = {epoch_of(m, config.total_epochs): m for t, m in population.predictions if t == trial}
    valued = rows.dropna(axis="columns", how="all")  # a metric of a later version has no value
    compared = [name for name in METRICS if name in valued and name not in TIMINGS]
    found = []
    splits = make_splits(config.data, load_dataset(config.data))
    for result in train(config, device="cpu", splits=splits):
        now = np.array([result.metrics[name] for name in compared], dtype=np.float32)
        then = rows.loc[result.epoch, compared].to_numpy(dtype=np.float32)
        same = (now == then) | (np.isnan(now) & np.isnan(then))
        found += [f"epoch {result.epoch}: {compared[i]}" for i in np.flatnonzero(~same)]
        if (moment := moments.get(result.epoch)) is not None:
            predicted = result.validation_probabilities.numpy().astype(np.float16)
            if not np.array_equal(predicted, population.predictions[trial, moment]):
                found.append(f"epoch {result.epoch}: predictions")
    return found


def _config(population: Recorded, trial: str, data_dir: Path | None) -> TrainConfig:
    (text,) = population.trials.loc[population.trials["trial"] == trial, "config"]
    document = json.loads(text)
    document["data"] |= {"dir": None if data_dir is None else str(data_dir), "download": False}
    return parse_config(document, trial)


def main() -> None:
    """Draw trials, train them again, and report differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="which")
    parser.add_argument("--data-dir", type=Path, help="where CIFAR-10 and CIFAR-10_human.pt lie")
    parser.add_argument("--recorded", type=Path, default=RECORDED, help="the recorded populations")
    arguments = parser.parse_args()
    here = f"PyTorch {torch.__version__} on {platform.machine()}"
    there = [load(name, folder=arguments.recorded) for name in recorded(folder=arguments.recorded)]
    digits = [one for one in there if one.population.data == "digits"]
    pool = [
        (one, trial)
        for one in (digits if arguments.data_dir is None else there)
        for trial in one.trials["trial"]
    ]
    drawn = random.Random(arguments.seed).sample(pool, min(arguments.trials, len(pool)))
    failed = 0
    for one, trial in drawn:
        data_dir = None if one.population.data == "digits" else arguments.data_dir
        found = differences(one, trial, data_dir)
        failed += bool(found)
        said = f"{len(found)} numbers differ, first {found[0]}" if found else "all numbers equal"
        print(f"{one.population.name} {trial}: {said}", flush=True)
    versions = ", ".join(sorted({one.meta["versions"]["torch"] for one, _ in drawn}))
    machines = ", ".join(sorted({one.meta["hardware"]["machine"] for one, _ in drawn}))
    print(f"{len(drawn) - failed} of {len(drawn)} trials are equal.")
    print(f"Recorded with PyTorch {versions} on {machines}; here it is {here}.")
    sys.exit(1 if failed or not drawn else 0)


if __name__ == "__main__":
    main()
