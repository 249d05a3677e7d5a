"""The recorded populations: configurations of all methods trained completely, with all metrics.

A population is one data set, one kind of label noise and one draw of both; each has the same 60
configurations (populations/space.yaml). ``recorded()`` returns the names of the recorded ones,
``load`` reads one.

``mark`` was fixed before anything was recorded: tuning uses the populations marked ``develop``
only; those marked ``report`` are for evaluating the result, once.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tune_robust.errors import UserError, unknown
from tune_robust.runs.predictions import Labels

SPACE = Path(__file__).parent / "populations" / "space.yaml"
RECORDED = Path(__file__).parent / "recorded" / "populations"

Mark = Literal["develop", "report"]
Criterion = Literal["val_accuracy", "val_information"]
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)

_NOISE = {
    "clean": "none",
    "symmetric": "{kind: symmetric, rate: 0.5}",
    "instance": "{kind: instance, rate: 0.4, variant: saner}",
    "worse": "{kind: human, file: CIFAR-10_human.pt, key: worse_label}",
    "aggregate": "{kind: human, file: CIFAR-10_human.pt, key: aggre_label}",
}
_NEXT_CLASS = "{kind: asymmetric, rate: 0.4, class_map: next_class}"
"""The asymmetric noise of the digits, for which no pairs of similar classes are published."""
_SIMILAR = "{kind: asymmetric, rate: 0.4, class_map: {2: 0, 3: 5, 4: 7, 5: 3, 9: 1}}"
"""That of CIFAR-10, its pairs of similar classes, by numbers: the Parquet files name no classes."""
_ASYMMETRIC = {"digits": _NEXT_CLASS, "cifar10": _SIMILAR}
_CIFAR10 = ("train.data.dataset=parquet", "train.data.test_subset=2000", "train.data.augment=none")
_DATA = {
    "digits": (),
    "cifar10": (
        *_CIFAR10,
        "train.data.image_size=16",
        "train.data.subset=2300",
        "train.data.validation.size=800",
        "train.batch_size=32",
        "train.epochs=24",
    ),
    "resnet20": (
        *_CIFAR10,
        "train.data.subset=2800",
        "train.data.validation.size=800",
        "train.batch_size=64",
        "train.model.name=resnet20",
        "budget.trials=30",
    ),
}
"""Changes to the space, by data set and network.

ResNet-20 is a check of scale: a trial takes five minutes, so that there are fewer of them.
"""


class Population(NamedTuple):
    """One population: ``data`` and ``noise`` as in its name, ``draw`` its seed."""

    data: str
    noise: str
    draw: int
    mark: Mark

    @property
    def name(self) -> str:
        """Return the name, as in ``digits_symmetric_0``."""
        return f"{self.data}_{self.noise}_{self.draw}"

    @property
    def criterion(self) -> Criterion:
        """Return the metric that a search selects by here if its space names none.

        It is the label information where the validation labels are noisy (docs/selection.md).
        """
        return "val_accuracy" if self.noise == "clean" else "val_information"

    @property
    def overrides(self) -> list[str]:
        """Return the changes to the space, each as ``--set`` takes it."""
        noise = _ASYMMETRIC[self.data] if self.noise == "asymmetric" else _NOISE[self.noise]
        return [
            f"name={self.name}",
            *_DATA[self.data],
            f"train.data.noise={noise}",
            f"train.data.seed={self.draw}",
            f"train.seed={self.draw}",
        ]

    @property
    def command(self) -> str:
        """Return the command that records it.

        DIR in it holds CIFAR-10's Parquet files and CIFAR-10_human.pt.
        """
        settings = " ".join(f"--set {shlex.quote(override)}" for override in self.overrides)
        data = "" if self.data == "digits" else " --data-dir DIR"
        space = "benchmarks/populations/space.yaml"
        return f"tune-robust search --space {space} --name {self.name}{data} {settings}"


POPULATIONS = {
    population.name: population
    for population in (
        Population("digits", "symmetric", 0, "develop"),
        Population("digits", "asymmetric", 0, "report"),
        Population("digits", "instance", 0, "develop"),
        Population("cifar10", "worse", 0, "report"),
        Population("digits", "clean", 0, "report"),
        Population("digits", "symmetric", 1, "report"),
        Population("digits", "asymmetric", 1, "develop"),
        Population("digits", "instance", 1, "report"),
        Population("cifar10", "symmetric", 0, "develop"),
        Population("cifar10", "asymmetric", 0, "report"),
        Population("cifar10", "instance", 0, "develop"),
        Population("digits", "clean", 1, "develop"),
        Population("digits", "symmetric", 2, "develop"),
        Population("digits", "asymmetric", 2, "report"),
        Population("digits", "instance", 2, "develop"),
        Population("digits", "clean", 2, "report"),
        Population("resnet20", "worse", 0, "report"),
        Population("cifar10", "clean", 0, "develop"),
        Population("cifar10", "aggregate", 0, "report"),
        Population("cifar10", "worse", 1, "develop"),
        Population("cifar10", "worse", 2, "report"),
    )
}
"""All populations by name, in the order of recording."""


@dataclass(frozen=True)
class Recorded:
    """A recorded population.

    ``trials`` has a row per trial, with its settings by their paths and its ``config`` as JSON;
    ``epochs`` has one per trial and epoch, with every metric. ``labels`` are the given and the true
    ones of the validation images; ``predictions`` their probabilities, float16 (N, K), by trial and
    moment (0.333, 0.667 and 1.0 of its training). ``confirmed``, if recorded, has a row per
    ``trial`` trained again and fresh ``seed``, with its ``method``, ``val_accuracy`` and
    ``test_accuracy``.
    """

    population: Population
    meta: dict[str, Any]
    trials: pd.DataFrame
    epochs: pd.DataFrame
    labels: Labels
    predictions: Mapping[tuple[str, float], np.ndarray] = field(repr=False)
    confirmed: pd.DataFrame | None = None

    @property
    def last(self) -> pd.DataFrame:
        """Return a row per finished trial, indexed by it: settings and last epoch's metrics."""
        last = self.epochs.sort_values("epoch").groupby("trial").tail(1).set_index("trial")
        finished = self.trials[self.trials["status"] == "done"]
        return finished.set_index("trial").join(last)

    @property
    def planned(self) -> int:
        """Return the number of trials of the complete population."""
        return self.meta["space"]["budget"]["trials"]

    @property
    def complete(self) -> bool:
        """Return whether all its trials have ended."""
        return len(self.trials) >= self.planned


def with_most_trials(populations: Sequence[Recorded]) -> list[Recorded]:
    """Return the populations with the most trials: all others have the first of the same ones."""
    most = max((len(one.trials) for one in populations), default=0)
    return [one for one in populations if len(one.trials) == most]


def recorded(mark: Mark | None = None, *, folder: Path = RECORDED) -> list[str]:
    """Return the names of the populations recorded in ``folder``, of one mark or of both."""
    return [
        name
        for name, population in POPULATIONS.items()
        if mark in (None, population.mark) and (folder / name / "predictions.parquet").exists()
    ]


def load(name: str, *, folder: Path = RECORDED) -> Recorded:
    """Return one recorded population.

    Raises:
        UserError: There is none of that name, or it has not been recorded.
    """
    if name not in POPULATIONS:
        raise UserError(unknown("population", name, POPULATIONS))
    place = folder / name
    if name not in recorded(folder=folder):
        raise UserError(
            f"{name} has not been recorded in {folder}. There are: "
            f"{', '.join(recorded(folder=folder)) or 'none'}."
        )
    labels = pq.read_table(place / "labels.parquet")
    confirmed = place / "confirmed.parquet"
    return Recorded(
        population=POPULATIONS[name],
        meta=json.loads((place / "run.json").read_text()),
        trials=pd.read_parquet(place / "trials.parquet"),
        epochs=pd.read_parquet(place / "epochs.parquet"),
        labels=Labels(*(labels[column].to_numpy() for column in Labels._fields)),
        predictions=_predictions(pq.read_table(place / "predictions.parquet")),
        confirmed=pd.read_parquet(confirmed) if confirmed.exists() else None,
    )


def _predictions(table: pa.Table) -> dict[tuple[str, float], np.ndarray]:
    rows = zip(*(table[c].to_pylist() for c in ("trial", "moment", "images")), strict=True)
    flat = table["probabilities"].combine_chunks()
    each = [np.asarray(flat[i].values) for i in range(len(flat))]
    return {(t, m): p.reshape(n, -1) for (t, m, n), p in zip(rows, each, strict=True)}
