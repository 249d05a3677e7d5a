"""The Ray trainable, driven by hand: reuse, checkpoints, and errors as results."""

import errno
import math
import threading

import pytest
import torch

from tests.tuning.simulated import space, store_at
from tune_robust.config import parse_config
from tune_robust.metrics import TIMINGS
from tune_robust.runs.checkpoints import Checkpoints, Owner
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.predictions import read_labels, read_predictions
from tune_robust.runs.reader import read_trials
from tune_robust.spaces.objective import Objective
from tune_robust.training import ProcessLost, loop, read_checkpoint
from tune_robust.training.checkpoints import write_checkpoint
from tune_robust.tuning.engine.conductor import Conductor
from tune_robust.tuning.engine.ray_backend import _job
from tune_robust.tuning.engine.slots import Slots
from tune_robust.tuning.engine.trainable import TrialRunner, tensor_share

pytest.importorskip("ray.tune")

OBJECTIVE = {"metric": "val_accuracy", "mode": "max", "at": "last"}


def job(tmp_path, trial="t0001", **changes):
    config = {
        "data": {"dataset": "digits", "subset": 300, "validation": {"size": 0.2}},
        "model": {"name": "small_cnn", "width": 0.25},
        "epochs": 4,
        "batch_size": 32,
        "threads": 1,
    }
    tmp_path.mkdir(exist_ok=True)
    return {
        "run": "ours",
        "trial": trial,
        "label": trial,
        "config": parse_config(config | changes).model_dump(mode="json"),
        "checkpoints": str(tmp_path / "checkpoints" / trial),
        "predictions": {"place": str(tmp_path / "predictions"), "moments": []},
        "cache": str(tmp_path / "cache"),
        "objective": OBJECTIVE,
        "known": 0,
        "continues": None,
        "gpus": 0,
        "processes": 1,
    }


@pytest.fixture
def runner():
    runner = object.__new__(TrialRunner)
    yield runner
    runner.cleanup()


def untimed(results):
    return str([{k: v for k, v in r.items() if k not in TIMINGS} for r in results])


def test_a_reused_actor_gives_the_numbers_of_a_fresh_one(tmp_path, runner):
    runner.setup(job(tmp_path / "a", seed=3))
    first = [runner.step() for _ in range(4)]
    assert runner.reset_config(job(tmp_path / "b", "t0002", seed=5))
    runner.step()
    assert runner.reset_config(job(tmp_path / "c", seed=3))
    assert untimed([runner.step() for _ in range(4)]) == untimed(first)


def test_a_restarted_trial_reports_its_checkpoint_and_goes_on(tmp_path, runner):
    runner.setup(job(tmp_path / "whole"))
    whole = [runner.step() for _ in range(4)]
    runner.reset_config(job(tmp_path / "lost"))
    runner.step(), runner.step()
    runner.reset_config(job(tmp_path / "lost") | {"known": 2})
    assert untimed([runner.step() for _ in range(3)]) == untimed(whole[1:])


def test_a_restarted_trial_reports_again_what_the_search_has_lost(tmp_path, runner):
    runner.setup(job(tmp_path))
    whole = [runner.step() for _ in range(4)]
    runner.reset_config(job(tmp_path) | {"known": 1})
    assert untimed([runner.step() for _ in range(3)]) == untimed(whole[1:])


KNOT = {"epoch": 2, "set": {"optimizer.lr": 0.3}}


def continuing(tmp_path):
    """t0002, which continues t0001 after epoch 2 with another learning rate, and its checkpoint."""
    last = tmp_path / "checkpoints" / "t0002" / "last.pt"
    last.parent.mkdir(parents=True)
    last.hardlink_to(tmp_path / "checkpoints" / "t0001" / "last.pt")
    return job(tmp_path, "t0002", knots=[KNOT]) | {"known": 2, "continues": ("t0001", 2)}, last


def test_a_trial_that_continues_another_one_equals_its_configuration_from_scratch(tmp_path, runner):
    runner.setup(job(tmp_path / "whole", "t0002", knots=[KNOT]))
    whole = [runner.step() for _ in range(4)]
    runner.reset_config(job(tmp_path))
    runner.step(), runner.step()
    again, last = continuing(tmp_path)
    runner.reset_config(again)
    assert untimed([runner.step(), runner.step()]) == untimed(whole[2:])
    assert read_checkpoint(last.parents[1] / "t0001" / "last.pt").epoch == 2
    runner.reset_config(again | {"known": 3})  # interrupted after it
    assert untimed([runner.step()]) == untimed(whole[3:])


def test_a_trial_whose_inherited_checkpoint_is_lost_trains_the_same_network_itself(
    tmp_path, runner
):
    runner.setup(job(tmp_path / "whole", "t0002", knots=[KNOT]))
    whole = [runner.step() for _ in range(4)]
    runner.reset_config(job(tmp_path))
    runner.step(), runner.step()
    again, last = continuing(tmp_path)
    last.unlink()
    last.write_bytes(b"half of a checkpoint")
    runner.reset_config(again)
    assert "Training continued from nothing" in runner.step()["note"]
    assert untimed([runner.step() for _ in range(4)]) == untimed(whole)


def test_the_checkpoint_of_another_epoch_is_not_inherited(tmp_path, runner):
    runner.setup(job(tmp_path))
    runner.step(), runner.step()
    again, _ = continuing(tmp_path)
    runner.reset_config(again | {"continues": ("t0001", 1)})
    assert "belongs to t0001 of this run" in runner.step()["note"]


@pytest.mark.parametrize("damage", [b"", b"half of a checkpoint"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, runner, damage):
    runner.setup(job(tmp_path))
    whole = [runner.step() for _ in range(3)]
    last = tmp_path / "checkpoints" / "t0001" / "last.pt"
    last.unlink()
    last.write_bytes(damage)
    runner.reset_config(job(tmp_path) | {"known": 3})
    note = runner.step()["note"]
    assert "last.pt could not be used and is kept as last.pt.damaged" in note
    assert ". Training continued from epoch 2, from previous.pt." in note
    assert (last.parent / "last.pt.damaged").read_bytes() == damage
    assert untimed([runner.step(), runner.step()]) == untimed(whole[1:])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"trial": "t0002"}, "belongs to t0002 of this run"),
        ({"run": "theirs"}, "belongs to t0001 of another run"),
        ({"seed": 7}, "another configuration: seed differ"),
    ],
)
def test_no_number_of_a_checkpoint_that_is_not_the_trials_own_is_reported(
    tmp_path, runner, changes, says
):
    runner.setup(job(tmp_path))
    whole = [runner.step() for _ in range(2)]
    seed = changes.pop("seed", 3)
    runner.reset_config(job(tmp_path / "other", seed=seed) | changes)
    [runner.step() for _ in range(3)]
    theirs = tmp_path / "other" / "checkpoints" / "t0001" / "last.pt"
    theirs.replace(tmp_path / "checkpoints" / "t0001" / "last.pt")
    runner.reset_config(job(tmp_path) | {"known": 2})
    assert says in runner.step()["note"]
    assert untimed([runner.step(), runner.step()]) == untimed(whole)


def test_a_mistake_in_training_is_a_result_not_a_crash(tmp_path, runner):
    runner.setup(job(tmp_path, batch_size=100_000))
    result = runner.step()
    assert "batch" in result["error"]
    assert "Traceback" not in result["error"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("GET was unable to find an engine to execute this computation"), True),
        (RuntimeError("Unable to find a valid cuDNN algorithm to run convolution"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_out_of_memory_is_told_from_other_errors(tmp_path, runner, error, expected):
    def raises():
        raise error
        yield

    runner.setup(job(tmp_path))
    runner._epochs = raises()
    result = runner.step()
    assert result["out_of_memory"] is expected
    assert str(error) in result["error"]


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        ProcessLost("process 2 of 2 of the trial was lost"),
    ],
)
def test_another_cuda_error_and_a_lost_process_are_left_to_ray(tmp_path, runner, error):
    def raises():
        raise error
        yield

    runner.setup(job(tmp_path))
    runner._epochs = raises()
    with pytest.raises(type(error)):
        runner.step()


@pytest.mark.parametrize(
    ("gpus", "total", "expected"),
    [
        (0.25, 80 * 2**30, 0.25 - 600 / (80 * 1024)),
        (0.05, 8 * 2**30, 0.025),  # less than the context: half is left for tensors
        (1.0, 8 * 2**30, 1.0),
    ],
)
def test_a_share_of_a_gpu_leaves_room_for_the_cuda_context(gpus, total, expected):
    assert tensor_share(gpus, total) == pytest.approx(expected)


def test_the_dashboard_label_is_the_trials(tmp_path, runner):
    runner.setup(job(tmp_path) | {"label": "t0001 sam.rho=0.1"})
    assert repr(runner) == "t0001 sam.rho=0.1"


MOMENTS = [0.5, 1.0, "best", "last"]


def recording(tmp_path, **changes):
    place = str(tmp_path / "predictions")
    return job(tmp_path, **changes) | {"predictions": {"place": place, "moments": MOMENTS}}


def kept(tmp_path, trial="t0001"):
    return [read_predictions(str(tmp_path / "predictions"), trial, m) for m in MOMENTS]


def test_predictions_are_those_that_the_metrics_were_measured_on(tmp_path, runner):
    runner.setup(recording(tmp_path))
    results = [runner.step() for _ in range(4)]
    half, end, best, last = kept(tmp_path)
    assert [half.epoch, end.epoch, last.epoch] == [2, 4, 4]
    for found in (half, end, best, last):
        labels = read_labels(str(tmp_path / "predictions"), found.labels)
        accuracy = (found.probabilities.argmax(1) == labels.given).mean()
        assert accuracy == pytest.approx(results[found.epoch - 1]["val_accuracy"], abs=0.02)
    assert best.score == max(result["val_accuracy"] for result in results)


def test_a_search_tells_its_trials_what_to_keep(tmp_path, runner):
    train = {"data": {"dataset": "digits", "subset": 300}, "method": "saner", "epochs": 2}
    searched = space(train=train, record={"predictions": ["last"]})
    conductor = Conductor(searched, store_at(tmp_path / "r", searched), threads=1)
    conductor.give(Slots(cpus=1, gpus=0.0, concurrency=1))
    trial = conductor.next_trial()
    runner.setup(_job(trial, conductor, tmp_path / "cache", alone=False))
    epoch = runner.step()["epoch"]
    conductor.close()
    folder = RunFolder(tmp_path / "r")
    recorded = read_trials(folder)[trial.name].config
    found = read_predictions(folder.predictions, trial.name, "last", recorded)
    assert found.epoch == epoch == 1
    assert found.probabilities.shape == (30, 10)


def test_a_restarted_trial_keeps_the_very_same_predictions(tmp_path, runner):
    runner.setup(recording(tmp_path / "whole"))
    for _ in range(4):
        runner.step()
    for killed_after in (1, 2, 3):
        folder = tmp_path / str(killed_after)
        runner.reset_config(recording(folder))
        for _ in range(killed_after):
            runner.step()
        # Killed between an epoch's predictions and its checkpoint, the newest checkpoint is older.
        (folder / "checkpoints" / "t0001" / "last.pt").unlink()
        runner.reset_config(recording(folder) | {"known": killed_after})
        while runner.step()["epoch"] < 4:
            pass
        for one, other in zip(kept(folder), kept(tmp_path / "whole"), strict=True):
            assert (one.probabilities == other.probabilities).all()
            assert one[1:] == other[1:]


def test_an_epoch_is_reported_when_its_checkpoint_is_on_disk_while_the_next_is_trained(
    tmp_path, runner, monkeypatch
):
    written, train_epoch = threading.Event(), loop._Run.train_epoch

    def second_waits(run):
        assert run.epoch == 0 or written.wait(60)
        return train_epoch(run)

    def write(path, checkpoint):
        write_checkpoint(path, checkpoint)
        written.set()

    monkeypatch.setattr(loop._Run, "train_epoch", second_waits)
    monkeypatch.setattr(loop, "write_checkpoint", write)
    runner.setup(job(tmp_path))
    last = tmp_path / "checkpoints" / "t0001" / "last.pt"
    for epoch in (1, 2):
        assert runner.step()["epoch"] == read_checkpoint(last).epoch == epoch
    runner.cleanup()
    assert read_checkpoint(last).epoch == 2


def test_a_checkpoint_that_cannot_be_written_is_a_result(tmp_path, runner, monkeypatch):
    def full(path, checkpoint):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(loop, "write_checkpoint", full)
    runner.setup(job(tmp_path))
    number, message, file = runner.step()["unsaved"]
    assert (number, message) == (errno.ENOSPC, "No space left on device")
    assert file.endswith("last.pt")


class _Result:
    def __init__(self, value):
        self.metrics = {"val_accuracy": value}
        self.value = value

    def save(self, path, owner):
        path.unlink(missing_ok=True)
        path.write_text(str(self.value))


def test_a_run_that_was_taken_away_is_not_made_again(tmp_path):
    place = tmp_path / "run" / "checkpoints" / "t0001"
    owner = Owner("r", "t0001", parse_config({}))
    checkpoints = Checkpoints(place, Objective(**OBJECTIVE), owner)
    with pytest.raises(FileNotFoundError):
        checkpoints.save(_Result(0.1))
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    checkpoints.save(_Result(0.1))
    assert (place / "last.pt").exists()


def test_the_last_two_and_the_best_checkpoints_are_kept(tmp_path):
    checkpoints = Checkpoints(
        tmp_path / "t", Objective(**OBJECTIVE), Owner("r", "t0001", parse_config({}))
    )
    for value in (0.1, 0.9, 0.3, math.nan, 0.5):
        checkpoints.save(_Result(value))
    kept = {path.name: path.read_text() for path in (tmp_path / "t").iterdir()}
    assert kept == {"last.pt": "0.5", "previous.pt": "nan", "best.pt": "0.9"}
