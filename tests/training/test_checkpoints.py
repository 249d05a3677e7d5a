"""A checkpoint is what was written, or is refused."""

import os
import random

import pytest
import torch

from tune_robust.errors import UserError
from tune_robust.training.checkpoints import Checkpoint, read_checkpoint, write_checkpoint

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
