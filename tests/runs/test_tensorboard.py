"""TensorBoard logs: what is in the run is in the logs, once, whenever they are opened."""

import struct

import pytest
from tensorboardX.proto.event_pb2 import Event

from tests.tuning.simulated import peak, simulate, space
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials
from tune_robust.runs.tensorboard import TensorBoard


def values(folder):
    """The values of all summaries in a trial's folder, as (tag, step, value)."""
    (path,) = folder.glob("events.*")
    data, found = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
        data = data[16 + length :]
    return found


@pytest.fixture
def folder(tmp_path):
    simulate(space(), tmp_path / "r")
    return RunFolder(tmp_path / "r")


def write(folder):
    board = TensorBoard(folder)
    board.open(read_trials(folder).values())
    board.close()


def test_every_epoch_is_there_at_its_cost_and_every_trial_has_its_settings(folder):
    write(folder)
    for trial in read_trials(folder).values():
        found = values(folder.tensorboard / trial.name)
        scores = [(step, value) for tag, step, value in found if tag == "val_accuracy"]
        assert scores == [
            (2 * epoch, pytest.approx(peak(trial, epoch))) for epoch in sorted(trial.epochs)
        ]
        assert any(tag.startswith("_hparams_/session_start_info") for tag, _, _ in found)


def test_opening_again_writes_nothing_twice(folder):
    write(folder)
    before = {path.name for path in folder.tensorboard.iterdir()}
    write(folder)
    assert {path.name for path in folder.tensorboard.iterdir()} == before
    tags = [tag for tag, _, _ in values(folder.tensorboard / "t0001")]
    assert tags.count("val_accuracy") == len(read_trials(folder)["t0001"].epochs)


def test_a_trial_is_written_as_it_goes(folder):
    board = TensorBoard(folder)
    board.open([])
    trial = read_trials(folder)["t0001"]
    whole = dict(trial.epochs)
    trial.status = "running"
    for epoch in whole:
        trial.epochs = {e: m for e, m in whole.items() if e <= epoch}
        board.update(trial)
    board.close()
    steps = [s for tag, s, _ in values(folder.tensorboard / "t0001") if tag == "val_accuracy"]
    assert steps == [2 * epoch for epoch in whole]
