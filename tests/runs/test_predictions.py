"""The predictions that trials keep: when, how safely, and what a reader is told of damage."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tune_robust.data import LabelledImages
from tune_robust.errors import UserError
from tune_robust.runs.predictions import (
    KeptPredictions,
    epoch_of,
    file_of,
    read_labels,
    read_predictions,
)
from tune_robust.spaces.objective import Objective

HIGHEST = Objective("val_accuracy", "max", "last")
SCORES = [0.2, 0.5, 0.5, float("nan"), 0.4, 0.3]
N, K = 6, 4


def part(shift=0):
    labels = (torch.arange(N) + shift) % K
    true = labels.clone()
    true[0] = -1
    return LabelledImages(torch.zeros(N, 1, 2, 2, dtype=torch.uint8), labels, true)


def result(epoch, scores=SCORES):
    probabilities = torch.full((N, K), 0.1)
    probabilities[:, epoch % K] = 0.7
    metrics = {"val_accuracy": scores[epoch - 1]}
    return SimpleNamespace(
        epoch=epoch, metrics=metrics, validation_probabilities=probabilities.float()
    )


@pytest.fixture(params=["path", "file", "s3"])
def place(request, tmp_path):
    if request.param == "path":
        return str(tmp_path / "predictions")
    if request.param == "file":
        return f"file://{tmp_path}/predictions"
    return f"{request.getfixturevalue('bucket')}/predictions"


CONFIG = {"seed": 1, "optimizer": {"name": "sgd", "lr": 0.1}}


def keep(place, moments, epochs, *, trial="t0001", objective=HIGHEST, of=None, config=CONFIG):
    kept = KeptPredictions(place, trial, moments, len(SCORES), objective, config)
    for epoch in epochs:
        kept.save(result(epoch), of or part())


def test_each_moment_has_its_own_epoch(place):
    keep(place, [1 / 3, 0.5, 1.0, "best", "last"], range(1, 6))
    found = {m: read_predictions(place, "t0001", m) for m in (1 / 3, 0.5, 1.0, "best", "last")}
    assert found.pop(1.0) is None  # the trial has not got there
    assert {m: p.epoch for m, p in found.items()} == {1 / 3: 2, 0.5: 3, "best": 2, "last": 5}
    assert found["best"].score == 0.5
    assert found[0.5].probabilities.dtype == np.float16
    assert np.array_equal(
        found[0.5].probabilities, result(3).validation_probabilities.numpy().astype(np.float16)
    )


def test_labels_are_stored_once_for_all_trials_that_share_them(place):
    keep(place, ["last"], [1], trial="t0001")
    keep(place, ["last"], [1], trial="t0002")
    keep(place, ["last"], [1], trial="t0003", of=part(shift=1))
    names = [read_predictions(place, f"t000{n}", "last").labels for n in (1, 2, 3)]
    assert names[0] == names[1] != names[2]
    labels = read_labels(place, names[0])
    assert labels.given.tolist() == part().labels.tolist()
    assert labels.true.tolist() == part().true_labels.tolist()


def test_the_best_epoch_is_known_to_whoever_takes_the_trial_over(tmp_path):
    place = str(tmp_path)
    keep(place, ["best"], [1, 2])
    keep(place, ["best"], [3, 4, 5, 6])
    assert read_predictions(place, "t0001", "best").epoch == 2


def test_a_lower_objective_may_be_the_better(tmp_path):
    keep(str(tmp_path), ["best"], range(1, 7), objective=Objective("val_accuracy", "min", "last"))
    assert read_predictions(str(tmp_path), "t0001", "best").epoch == 1


def test_nothing_wanted_nothing_written(tmp_path):
    keep(str(tmp_path), [], range(1, 7))
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("fraction", "total", "epoch"), [(0.01, 6, 1), (1 / 3, 40, 13), (2 / 3, 40, 27), (1.0, 40, 40)]
)
def test_fractions_are_of_all_epochs(fraction, total, epoch):
    assert epoch_of(fraction, total) == epoch


def test_storage_that_fails_is_an_error_of_the_storage(tmp_path):
    (tmp_path / "predictions").write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"predictions"):
        keep(str(tmp_path / "predictions"), ["last"], [1])


def packed(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


GOOD = np.full((3, 2), 0.5, dtype=np.float16)
REST = {"epoch": 1, "score": 0.5, "labels": "labels-0.npz"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"half of a file",
        packed(probabilities=GOOD),
        packed(probabilities=GOOD.astype(np.float32), **REST),
        packed(probabilities=GOOD[0], **REST),
        packed(probabilities=GOOD * 2, **REST),
        packed(probabilities=GOOD * np.float16(np.nan), **REST),
        packed(probabilities=np.array([{"a": "pickle"}]), **REST),
    ],
)
def test_a_damaged_file_is_refused_by_its_name(tmp_path, content):
    path = tmp_path / file_of("t0001", "last")
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"predictions/t0001/last\.npz is damaged"):
        read_predictions(str(tmp_path), "t0001", "last")


def test_another_trials_file_is_refused_and_names_whose_it_is(tmp_path):
    place = str(tmp_path)
    keep(place, ["last"], [1], trial="t0001")
    keep(place, ["last"], [2], trial="t0002")
    (tmp_path / "t0001" / "last.npz").replace(tmp_path / "t0002" / "last.npz")
    with pytest.raises(UserError, match=r"predictions/t0002/last\.npz belongs to the trial t0001"):
        read_predictions(place, "t0002", "last")


def test_predictions_of_another_configuration_are_refused(tmp_path):
    keep(str(tmp_path), ["last"], [1])
    reordered = dict(reversed(CONFIG.items()))
    assert read_predictions(str(tmp_path), "t0001", "last", reordered).epoch == 1
    with pytest.raises(UserError, match="another configuration than that of t0001"):
        read_predictions(str(tmp_path), "t0001", "last", CONFIG | {"seed": 2})


def test_a_best_epoch_of_another_trial_is_replaced(tmp_path):
    keep(str(tmp_path), ["best"], [2], trial="t0002")  # 0.5, higher than this trial has so far
    (tmp_path / "t0002").rename(tmp_path / "t0001")
    keep(str(tmp_path), ["best"], [1])
    assert read_predictions(str(tmp_path), "t0001", "best", CONFIG).epoch == 1


def test_files_of_earlier_versions_do_not_say_whose_they_are_and_open(tmp_path):
    path = tmp_path / file_of("t0001", "last")
    path.parent.mkdir()
    path.write_bytes(packed(probabilities=GOOD, **REST))
    found = read_predictions(str(tmp_path), "t0001", "last", CONFIG)
    assert found.labels == REST["labels"]


def test_missing_and_changed_labels_are_refused(tmp_path):
    keep(str(tmp_path), ["last"], [1])
    name = read_predictions(str(tmp_path), "t0001", "last").labels
    labels = read_labels(str(tmp_path), name)
    (tmp_path / name).write_bytes(packed(given=labels.given[::-1], true=labels.true))
    with pytest.raises(UserError, match="not those that it was written with"):
        read_labels(str(tmp_path), name)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=f"has no {name}"):
        read_labels(str(tmp_path), name)
