"""A checkpoint is what was written, or is refused."""

import errno
import io
import os
import random
import threading
from dataclasses import replace

import pytest
import torch

from tests.methods.networks import assert_same
from tests.training.test_presets import config
from tune_robust.data import load_dataset, make_splits
from tune_robust.errors import UserError
from tune_robust.training import train
from tune_robust.training.checkpoints import Checkpoint, Copies, read_checkpoint, write_checkpoint

STATE = {"model": {"weight": torch.arange(600.0)}, "totals": {"seconds": 1.5}}
CHECKPOINT = Checkpoint(2, {"val_accuracy": 0.5}, {"epochs": 3}, STATE, earlier=[{"lr": 0.1}])


@pytest.fixture
def path(tmp_path):
    write_checkpoint(tmp_path / "last.pt", CHECKPOINT)
    return tmp_path / "last.pt"


def test_no_flipped_bit_changes_what_is_read(path):
    whole, chance, refused = path.read_bytes(), random.Random(1), 0
    for _ in range(300):
        place, bit = chance.randrange(len(whole)), chance.randrange(8)
        damaged = bytearray(whole)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            found = read_checkpoint(path)
        except UserError:
            refused += 1
        else:  # a byte that says nothing, such as the padding between two tensors
            assert torch.equal(found.state["model"]["weight"], STATE["model"]["weight"])
            assert (found.epoch, found.metrics, found.config, found.earlier) == (
                CHECKPOINT.epoch,
                CHECKPOINT.metrics,
                CHECKPOINT.config,
                CHECKPOINT.earlier,
            )
    assert refused > 150


def test_a_newer_versions_checkpoint_is_told_from_a_damaged_one(path):
    torch.save({**vars(CHECKPOINT), "sharding": 2}, path)
    with pytest.raises(UserError, match="newer version"):
        read_checkpoint(path)


def test_a_pipe_is_no_checkpoint(tmp_path):
    os.mkfifo(tmp_path / "last.pt")
    with pytest.raises(UserError, match="no regular file"):
        read_checkpoint(tmp_path / "last.pt")


def test_a_snapshot_stays_as_it_was_and_is_no_larger_than_the_checkpoint(tmp_path):
    settings = config("saner_slaw", epochs=2)
    data = make_splits(settings.data, load_dataset(settings.data))
    results = train(settings, splits=data)
    first = next(results)
    snapshot = first.snapshot()
    first.save(tmp_path / "saved.pt")
    next(results)
    snapshot.save(tmp_path / "later.pt")
    sizes = [(tmp_path / name).stat().st_size for name in ("saved.pt", "later.pt")]
    assert sizes[1] <= sizes[0] * 1.01
    resumed = [
        next(train(settings, splits=data, resume=tmp_path / name)).model
        for name in ("saved.pt", "later.pt")
    ]
    assert_same(*resumed)


def test_a_copy_is_made_in_the_memory_of_the_one_before_the_last():
    weight, made, copies = torch.zeros(2, 3).t(), [], Copies()
    for epoch in range(4):
        weight += 1
        state = {"model": {"weight": weight, "same": weight}, "loss": torch.tensor(float(epoch))}
        made.append(copies.of(replace(CHECKPOINT, state=state)).state)
        for number, copied in enumerate(made[-2:], len(made) - len(made[-2:])):
            assert copied["model"]["weight"] is copied["model"]["same"]
            assert torch.equal(copied["model"]["weight"], torch.full((3, 2), number + 1.0))
            assert copied["loss"] == number
    places = [copied["model"]["weight"].data_ptr() for copied in made]
    assert places[:2] == places[2:]
    assert len({*places, weight.data_ptr()}) == 3


class _Full(io.FileIO):
    """A file on a disk that has room for ``room`` more bytes."""

    room = 0

    def write(self, data):
        written = super().write(data[: self.room])
        self.room -= written
        if not written:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written


@pytest.mark.parametrize("room", [0, 50_000, 450_000, 800_500])
def test_a_full_disk_leaves_the_old_checkpoint(path, monkeypatch, room):
    def opened(descriptor, mode):
        file = _Full(descriptor, mode)
        file.room = room
        return io.BufferedWriter(file)

    larger = replace(CHECKPOINT, epoch=3, state={"all": [torch.zeros(100_000) for _ in range(2)]})
    monkeypatch.setattr("os.fdopen", opened)
    with pytest.raises(OSError, match="No space left") as raised:
        write_checkpoint(path, larger)
    assert raised.value.filename == str(path)
    assert [*path.parent.iterdir()] == [path]
    monkeypatch.undo()
    assert read_checkpoint(path).epoch == 2


def test_training_that_is_stopped_yields_no_more(tmp_path):
    settings, stop = config("sgd", epochs=2), threading.Event()
    results = train(settings, stop=stop)
    next(results)
    stop.set()
    assert [*results] == []
