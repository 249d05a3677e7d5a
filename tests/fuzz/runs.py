"""The runs that are damaged: one finished, one interrupted; made without training, in a second."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

from tests.tuning.simulated import open_confirming, simulate, space
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_record
from tune_robust.training.checkpoints import Checkpoint, write_checkpoint
from tune_robust.tuning.winners.retraining import write_summary

SPACE = space(
    baselines=[{"method": "sgd"}],
    budget={"trials": 8, "scheduler": "asha", "grace": 2, "reduction": 2},
)

Curves = dict[str, dict[int, dict[str, float | None]]]
"""The metrics of the epochs of each trial, by its name."""
Truth = dict[str, Curves]


def build(parent: Path) -> None:
    """Make the folders ``finished`` and ``interrupted`` in ``parent``, with all that runs hold."""
    parent.mkdir()
    simulate(SPACE, parent / "finished")
    simulate(SPACE, parent / "interrupted", stop_after=21)
    for name in ("finished", "interrupted"):
        _write_checkpoints(RunFolder(parent / name))
    _confirm(RunFolder(parent / "finished"))
    for name in ("report.html", "exported/1_t0001.yaml"):
        (parent / "finished" / name).parent.mkdir(exist_ok=True)
        (parent / "finished" / name).write_text("an output of earlier")


def weights_of(trial: str, epoch: int) -> torch.Tensor:
    """The weights of the checkpoint of an epoch: no two trials and epochs have the same."""
    return torch.arange(50.0) + 1000 * int(trial[1:]) + epoch


def truth(path: Path) -> Truth:
    """The metrics of each trial's epochs, of the run at ``path`` and of its confirmation."""
    return {"search": _curves(path), "confirmation": _curves(path / "confirm")}


def _curves(path: Path) -> Curves:
    if not path.exists():
        return {}
    return {name: dict(t.epochs) for name, t in read_record(RunFolder(path)).trials.items()}


def _write_checkpoints(folder: RunFolder) -> None:
    shutil.rmtree(folder.path / "checkpoints", ignore_errors=True)
    for name, trial in read_record(folder).trials.items():
        place = folder.path / "checkpoints" / name
        place.mkdir(parents=True)
        for file, before in (("last.pt", 0), ("previous.pt", 1), ("best.pt", 0)):
            epoch = max(trial.epochs, default=0) - before
            if epoch < 1:
                continue
            state = {"model": {"weight": weights_of(name, epoch)}}
            earlier = [trial.epochs[e] for e in range(1, epoch)]
            owner = {"run": folder.id, "trial": name}
            metrics, config = trial.epochs[epoch], json.loads(json.dumps(trial.config))
            made = Checkpoint(epoch, metrics, config, state, earlier=earlier, owner=owner)
            write_checkpoint(place / file, made)


def _confirm(folder: RunFolder) -> None:
    store = open_confirming(folder, ["t0001", "t0002"], 2)
    for number, name in enumerate([*store.trials]):
        store.start(name)
        for epoch in range(1, 7):
            score = 0.5 + 0.01 * number + 0.001 * epoch
            store.add_epoch(
                name, epoch, {"val_accuracy": score, "gradient_evaluations": 2.0 * epoch}
            )
        store.end(name, "done")
    store.close()
    write_summary(store.folder)
