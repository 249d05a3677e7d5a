"""Builds small synthetic runs on disk, as a search would have stored them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.stored.run import Run, load_run

RHO_ALPHA = {"sam.rho": {"log_uniform": [0.05, 2.0]}, "saner.alpha": {"uniform": [0.0, 1.0]}}
RATE = 0.5


def make_space(**changes: Any) -> dict[str, Any]:
    """A resolved space as run.json holds it; ``changes`` replace whole top-level entries."""
    noise = {"kind": "symmetric", "rate": RATE, "true_class": "excluded"}
    space = {
        "name": "saner_digits",
        "train": {
            "data": {
                "dataset": "digits",
                "noise": noise,
                "validation": {"size": 0.2, "labels": "noisy"},
            },
            "epochs": 40,
        },
        "search": RHO_ALPHA,
        "known": [],
        "baselines": [{"method": "sgd"}],
        "budget": {"trials": 24, "unit": "gradient_evaluations", "max": 80, "scheduler": "asha"},
        "searcher": {"name": "tpe"},
        "objective": {"metric": "val_accuracy", "mode": "max", "at": "last"},
        "resources": {"cpus": 1},
    }
    return {**space, **changes}


def goodness(rho: float | None, alpha: float | None) -> float:
    """How well a setting resists wrong labels, in [0, 1]; negative where it fails to train."""
    if rho is None:
        return 0.0
    if rho > 1.2:
        return -1.0
    alpha = 0.5 if alpha is None else alpha
    ridge = np.exp(-((np.log(rho / 0.55)) ** 2) / (2 * 0.55**2))
    return float(np.clip(ridge * (1.05 - 0.45 * alpha * (rho < 0.45)), 0, 1))


def curves(good: float, epochs: int, passes: int, noise: np.random.Generator) -> pd.DataFrame:
    """Epoch by epoch metrics of a trial: a good one learns the correct labels only."""
    t = np.arange(1, epochs + 1) / 40
    jitter = noise.normal(0, 0.006, (3, epochs))
    if good < 0:
        clean, wrong = np.full(epochs, 0.1), np.full(epochs, 0.1)
    else:
        clean = 1 - 0.9 * np.exp(-9 * t)
        wrong = 0.02 + (1 - good) * 0.97 / (1 + np.exp(-14 * (t - 0.3)))
    true_share = np.clip(clean * (0.985 - 0.3 * np.clip(wrong - 0.02, 0, 1)), 0.1, 1)
    test = true_share + jitter[0]
    validation = 0.1 + (true_share - 0.1) * (0.40 / 0.875) + jitter[1]
    return pd.DataFrame(
        {
            "epoch": np.arange(1, epochs + 1),
            "train_loss": 2.3 - 1.5 * t,
            "val_accuracy": validation.clip(0, 1),
            "val_loss": 2.3 - validation,
            "test_accuracy": test.clip(0, 1),
            "clean_fit": (clean + jitter[2]).clip(0, 1),
            "noisy_fit": (wrong + np.abs(jitter[2])).clip(0, 1),
            "gradient_evaluations": passes * np.arange(1.0, epochs + 1),
            "seconds": 0.4 * passes * np.arange(1.0, epochs + 1),
        }
    )


def trial_row(number: int, values: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """One trial to be built: ``values`` are its searched settings."""
    return {"trial": f"t{number:04d}", "values": values, **fields}


def write_run(
    storage: Path,
    trials: list[dict[str, Any]],
    *,
    name: str = "r1",
    space: dict[str, Any] | None = None,
    seed: int = 0,
) -> Path:
    """Write a run's folder and return it.

    Each trial gives ``trial`` and ``values``, and may give ``origin``, ``status``, ``epochs`` (how
    many it ran), ``good`` (else from its rho and alpha), ``passes``, ``error``, ``sentinel``,
    ``method`` and ``extra``, further metrics as a value or one per epoch.
    """
    space = space or make_space()
    objective, searched = space["objective"], list(space["search"])
    noise = np.random.default_rng(seed)
    rows, tables = [], []
    for trial in trials:
        values = trial["values"]
        ran = trial.get("epochs", 40)
        good = trial.get("good")
        if good is None:
            good = goodness(values.get("sam.rho"), values.get("saner.alpha"))
        passes = trial.get("passes", 1 if trial.get("origin") == "baseline" else 2)
        table = curves(good, ran, passes, noise).assign(**trial.get("extra", {}))
        tables.append(table.assign(trial=trial["trial"]))
        rows.append(_trial_row(trial, table, objective, searched))
    path = storage / name
    path.mkdir(parents=True)
    _write_meta(path, name, space)
    frame = pd.DataFrame(rows)
    frame.to_parquet(path / "trials.parquet")
    pd.concat(tables, ignore_index=True).to_parquet(path / "epochs.parquet")
    return path


def _trial_row(trial, table, objective, searched) -> dict[str, Any]:
    values, metric = trial["values"], table[objective["metric"]]
    last = table.iloc[-1].to_dict() if len(table) else {}
    best = (metric.max() if objective["mode"] == "max" else metric.min()) if len(table) else None
    ends = {"last": last.get(objective["metric"]), "best": best}
    method = trial.get("method", "sgd" if trial.get("origin") == "baseline" else "saner")
    config = {"method": method, "epochs": 40}
    return {
        "trial": trial["trial"],
        "origin": trial.get("origin", "sampled"),
        "status": trial.get("status", "done"),
        **{path: values.get(path) for path in searched},
        "objective": ends[objective["at"]],
        f"{objective['metric']}_last": ends["last"],
        f"{objective['metric']}_best": ends["best"],
        **{key: value for key, value in last.items() if key not in searched},
        "epoch": len(table),
        "gradient_evaluations": last.get("gradient_evaluations"),
        "seed": values.get("seed", 0),
        "sentinel": trial.get("sentinel", False),
        "error": trial.get("error"),
        "checkpoint": None,
        "config": json.dumps(config),
    }


def _write_meta(path: Path, name: str, space: dict[str, Any]) -> None:
    meta = {
        "format": 1,
        "name": name,
        "created": "2025-03-01T10:00:00+00:00",
        "space": space,
        "wrong_labels": _wrong_labels(space["train"].get("data", {})),
        "images": {"train": 1000, "validation": 360, "test": 400},
        "versions": {"tune-robust": "0.1.0", "torch": "2.6.0"},
        "git_commit": "0123456789abcdef",
        "hardware": {"cpus": 2, "gpu": None},
        "command": ["tune-robust", "search", "--space", space["name"], "--name", name],
    }
    (path / "run.json").write_text(json.dumps(meta), encoding="utf-8")


def _wrong_labels(data: dict[str, Any]) -> dict[str, float]:
    """As a search measures them."""
    rate = data.get("noise", {}).get("rate", 0.0)
    clean = data.get("validation", {}).get("labels") == "clean"
    return {"train": rate, "validation": 0.0 if clean else rate}


def search_like(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """A search's worth of trials: a baseline, a known setting, samples that home in; the weak ones
    stopped at two rungs by successive halving."""
    draw = np.random.default_rng(seed)
    trials = [
        trial_row(1, {}, origin="baseline"),
        trial_row(2, {"sam.rho": 0.1, "saner.alpha": 0.5}, origin="known"),
    ]
    rungs: dict[int, list[float]] = {5: [], 14: []}
    for number in range(3, count + 1):
        rho = float(np.exp(draw.uniform(np.log(0.05), np.log(2.0))))
        if number > count // 3 and draw.random() < 0.6:
            rho = float(np.clip(0.55 * np.exp(draw.normal(0, 0.3)), 0.05, 2.0))
        alpha = float(draw.uniform(0, 1))
        scores = curves(goodness(rho, alpha), 40, 2, draw)["val_accuracy"]
        fields: dict[str, Any] = {}
        for rung, seen in rungs.items():
            seen.append(scores[rung - 1])
            if scores[rung - 1] < np.quantile(seen, 0.55):
                fields = {"status": "stopped", "epochs": rung}
                break
        if draw.random() < 0.03:
            fields = {"status": "failed", "epochs": 3, "error": "the loss became NaN at epoch 4"}
        trials.append(trial_row(number, {"sam.rho": rho, "saner.alpha": alpha}, **fields))
    return trials


class Builder:
    """Writes runs into one storage and reads them back."""

    space = staticmethod(make_space)
    trial = staticmethod(trial_row)
    search = staticmethod(search_like)

    def __init__(self, storage: Path):
        self.storage = storage

    def write(self, trials: list[dict[str, Any]], **options: Any) -> Path:
        return write_run(self.storage, trials, **options)

    def load(self, trials: list[dict[str, Any]], **options: Any) -> Run:
        return load_run(self.write(trials, **options))


@pytest.fixture
def build(tmp_path) -> Builder:
    """Builds runs in a fresh storage."""
    return Builder(tmp_path / "runs")


@pytest.fixture(scope="session")
def search_run(tmp_path_factory) -> Run:
    """A finished search of 24 trials over rho and alpha. Read it, do not change it."""
    return load_run(write_run(tmp_path_factory.mktemp("runs"), search_like(24)))
