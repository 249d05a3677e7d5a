"""How much disk checkpoints take: bounded, foreseen, and refused where it is not there."""

from collections import namedtuple

import pytest

from tests.tuning.simulated import peak, space, store_at
from tune_robust.config import parse_config
from tune_robust.errors import UserError
from tune_robust.runs import disk
from tune_robust.runs.checkpoints import Owner, open_checkpoints
from tune_robust.runs.disk import (
    FILES,
    check_disk,
    checkpoint_bytes,
    predictions_bytes,
    predictions_memory,
)
from tune_robust.runs.retention import KEPT
from tune_robust.spaces.sections import Budget
from tune_robust.training import train
from tune_robust.tuning.engine.conductor import Conductor, Decision
from tune_robust.tuning.engine.slots import Slots

Usage = namedtuple("Usage", "total used free")


class _Result:
    def __init__(self, value):
        self.metrics = {"val_accuracy": value}

    def save(self, path, owner):
        path.unlink(missing_ok=True)
        path.write_text("state")


def test_checkpoints_on_disk_stay_bounded_while_a_search_runs(tmp_path):
    searched = space(budget={"trials": 20, "scheduler": "asha", "grace": 2, "reduction": 2})
    conductor = Conductor(searched, store_at(tmp_path / "r", searched), threads=1)
    conductor.give(Slots(1, 0.0, 3))
    folder, running, most = conductor.store.folder, {}, 0
    while True:
        for trial in iter(conductor.next_trial, None):
            running[trial.name] = open_checkpoints(
                folder.checkpoints(trial.name),
                conductor.objective,
                Owner(folder.id, trial.name, parse_config(trial.config, trial.name)),
            )
        if not running:
            break
        for name in [*running]:
            trial = conductor.trials[name]
            epoch = len(trial.epochs) + 1
            running[name].save(_Result(peak(trial, epoch)))
            metrics = {"val_accuracy": peak(trial, epoch), "gradient_evaluations": 2 * epoch}
            if conductor.on_epoch(name, epoch, metrics) is Decision.END:
                del running[name]
            most = max(most, len([*folder.path.glob("checkpoints/*/*")]))
    conductor.close()
    assert FILES * KEPT < most <= FILES * (3 + KEPT)
    assert len([*folder.path.glob("checkpoints/*/*")]) == FILES * KEPT


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("average", [None, {"kind": "ema"}])
def test_the_size_of_a_checkpoint_is_foreseen(tmp_path, optimizer, average):
    parts = {"optimizer": {"name": optimizer}, "average": average, "epochs": 1}
    config = space(train={"data": {"dataset": "digits"}, "method": "saner", **parts}).config_for({})
    result = next(train(config.model_copy(update={"epochs": 1})))
    result.save(tmp_path / "c.pt")
    size = (tmp_path / "c.pt").stat().st_size
    assert 0.8 * size < checkpoint_bytes(config, tmp_path) <= size


@pytest.mark.parametrize(
    ("checkpoints", "says"), [(1000, None), (20, "may become full"), (13, "is too small")]
)
def test_a_disk_too_small_is_told_before_the_search(tmp_path, monkeypatch, checkpoints, says):
    searched = space()
    store = store_at(tmp_path / "r", searched)
    store.close()
    size = max(checkpoint_bytes(config, tmp_path) for config in searched.examples)
    free = Usage(0, 0, checkpoints * size)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: free)
    try:
        found = check_disk(searched, store.folder, tmp_path, concurrency=2)
    except UserError as error:
        found = str(error)
    if says is None:
        assert found is None
    else:
        assert says in found
        assert f"{size / 1e6:.0f} MB each" in found


def test_predictions_are_foreseen_and_counted(tmp_path, monkeypatch):
    data = {"dataset": "digits", "subset": 300, "validation": {"size": 0.5}}
    train_section = {"data": data, "method": "saner", "epochs": 2}
    searched = space(train=train_section, record={"predictions": [0.5, "best"]})
    found = predictions_bytes(searched, tmp_path)
    assert found == 2 * 150 * 10 * 2 * 12
    assert predictions_bytes(space(), tmp_path) == 0
    assert predictions_memory(searched, tmp_path) == 2 * 2 * 150 * 10 + 8 * 150 * 12
    many = searched.model_copy(update={"budget": Budget(trials=500)})
    assert predictions_memory(many, tmp_path) == 2 * 2 * 150 * 10 + 8 * 150 * 20
    assert predictions_memory(space(), tmp_path) == 0
    store = store_at(tmp_path / "r", searched)
    store.close()
    size = max(checkpoint_bytes(config, tmp_path) for config in searched.examples)
    checkpoints = (FILES * (2 + KEPT) + 2) * size
    for free, fits in ((checkpoints + found, True), (checkpoints + found - 1, False)):
        usage = Usage(0, 0, free)
        monkeypatch.setattr(disk.shutil, "disk_usage", lambda path, usage=usage: usage)
        said = check_disk(searched, store.folder, tmp_path, concurrency=2)
        assert (said is None) == fits
        assert fits or "MB of predictions" in said
