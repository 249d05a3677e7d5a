"""A space whose trials take seconds: what the tests of the command line search."""

from __future__ import annotations

import pandas as pd
import pytest

from tune_robust.runs.predictions import read_labels, read_predictions

SPACE = {
    "name": "tiny",
    "train": {
        "data": {
            "dataset": "digits",
            "subset": 300,
            "noise": {"kind": "symmetric", "rate": 0.5},
            "validation": {"size": 0.2},
        },
        "model": {"name": "small_cnn", "width": 0.25},
        "method": "saner",
        "optimizer": {"name": "sgd", "lr": 0.05},
        "epochs": 6,
        "batch_size": 64,
    },
    "search": {"sam.rho": {"log_uniform": [0.1, 1.0]}, "saner.alpha": {"uniform": [0.0, 1.0]}},
    "baselines": [{"method": "sgd"}],
    "budget": {"trials": 5, "scheduler": "asha", "grace": 4, "reduction": 2},
    "resources": {"concurrency": 1},  # each process that trains takes seconds to start
}


def check_predictions(place: str, last: pd.DataFrame) -> None:
    """All trials have kept their predictions at half of their epochs and at the end.

    ``last`` has each trial's last epoch and its metrics, indexed by trial.
    """
    assert len(last)
    for trial, row in last.iterrows():
        half, end = (read_predictions(place, trial, moment) for moment in (0.5, 1.0))
        assert (half.epoch, end.epoch) == (row["epoch"] // 2, row["epoch"])
        labels = read_labels(place, end.labels)
        accuracy = (end.probabilities.argmax(1) == labels.given).mean()
        assert accuracy == pytest.approx(row["val_accuracy"], abs=0.02)
