"""A backend without Ray: recorded or invented curves instead of training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import optuna

from tune_robust.runs.folder import RunFolder
from tune_robust.runs.store import RunStore
from tune_robust.runs.trial import Trial
from tune_robust.spaces.space import Space
from tune_robust.tuning.engine.conductor import Conductor, Decision
from tune_robust.tuning.winners.retraining import extension_of, open_confirmation

Curve = Callable[[Trial, int], float | None]
Metrics = Callable[[Trial, int, dict[str, Any]], dict[str, Any]]


def space(**changes: Any) -> Space:
    """A two-dimensional SANER space of 6-epoch trials."""
    document = {
        "name": "simulated",
        "train": {"data": {"dataset": "digits"}, "method": "saner", "epochs": 6},
        "search": {
            "sam.rho": {"log_uniform": [0.01, 1.0]},
            "saner.alpha": {"uniform": [0.0, 1.0]},
        },
        "budget": {"trials": 12, "scheduler": "asha", "grace": 2, "reduction": 2},
    }
    return Space.from_document(document | changes)


def trading(**changes: Any) -> Space:
    """Accuracy against compute: the epochs are searched too."""
    document = {
        "train": {"data": {"dataset": "digits"}, "method": "sam", "epochs": 6},
        "search": {"sam.rho": {"log_uniform": [0.01, 1.0]}, "epochs": {"log_int": [1, 12]}},
        "budget": {"trials": 30, "scheduler": "none"},
        "searcher": {"name": "nsga2"},
        "objective": {"metric": "val_accuracy", "against": ["gradient_evaluations"]},
    }
    return space(**document | changes)


def peak(trial: Trial, epoch: int) -> float:
    """Better towards rho 0.3 and alpha 0.5, and with every epoch."""
    rho, alpha = trial.values.get("sam.rho", 0.01), trial.values.get("saner.alpha", 1.0)
    return 1 - abs(rho - 0.3) - 0.5 * abs(alpha - 0.5) + 0.01 * epoch


def store_at(path: Path, space: Space) -> RunStore:
    """The run at ``path``, created if it is not there."""
    folder = RunFolder(path)
    if folder.meta.exists():
        return RunStore(folder)
    return RunStore.create(folder, {"space": space.document()})


def simulate(
    space: Space,
    path: Path,
    curve: Curve = peak,
    *,
    stop_after: int | None = None,
    metrics: Metrics = lambda trial, epoch, metrics: metrics,
) -> Conductor:
    """Run trials one after the other; ``stop_after`` epochs the process dies without a word.

    ``metrics`` changes those of an epoch.
    """
    store = store_at(path, space)
    conductor = Conductor(space, store, threads=1)
    epochs = 0
    while (trial := conductor.next_trial()) is not None:
        cost = 2 if trial.config["sam"] else 1
        for epoch in range(trial.epoch + 1, trial.total_epochs + 1):
            if epochs == stop_after:
                store.close()
                return conductor
            epochs += 1
            score = curve(trial, epoch)
            found = {
                "val_accuracy": score,
                "val_information": score,
                "val_loss": trial.values.get("saner.alpha", 1.0),
                "gradient_evaluations": cost * epoch,
                "seconds": 0.3 * cost * epoch,
            }
            found = metrics(trial, epoch, found)
            if conductor.on_epoch(trial.name, epoch, found) is Decision.END:
                break
    conductor.close()
    return conductor


def open_confirming(source: RunFolder, trials: Iterable[str], seeds: int) -> RunStore:
    """The confirmation of ``source`` with these trials on so many seeds, none of them started."""
    store = open_confirmation(source)
    extension_of(store, trials, seeds).record(store)
    return store


def study_of(path: Path) -> optuna.Study:
    """The study of the run at ``path``, read from its journal."""
    backend = optuna.storages.journal.JournalFileBackend(str(path / "study.journal"))
    storage = optuna.storages.JournalStorage(backend)
    return optuna.load_study(study_name="simulated", storage=storage)
