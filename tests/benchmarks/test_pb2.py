"""PB2 beside searches of knots and of constant settings: what each may spend, and chooses."""

import json
from argparse import Namespace
from types import SimpleNamespace

import pytest

from tune_robust.data import load_dataset, make_splits
from tune_robust.errors import UserError
from tune_robust.training.checkpoints import Checkpoint

OPTIONS = Namespace(data="digits", data_dir=None, epochs=8, trainings=4)
PASSES = 2
"""The gradient evaluations of an epoch."""


@pytest.fixture(scope="module")
def pb2():
    import pb2

    return pb2


@pytest.fixture
def trained(pb2, monkeypatch):
    """The (seed, epoch) that searches train, each with a test accuracy of the seed."""
    found = []

    def epochs(config, splits, start):
        first = 1 if start is None else start.epoch + 1
        for epoch in range(first, config.epochs + 1):
            found.append((config.seed, epoch))
            metrics = {
                "gradient_evaluations": float(PASSES * epoch),
                "seconds": float(epoch),
                "val_accuracy": 0.5 + 0.001 * config.seed,
                "test_accuracy": config.seed,
            }
            state = Checkpoint(epoch=epoch, metrics=metrics, config={}, state={})
            snapshot = SimpleNamespace(checkpoint=lambda state=state: state)
            yield SimpleNamespace(
                epoch=epoch, metrics=metrics, snapshot=lambda snapshot=snapshot: snapshot
            )

    monkeypatch.setattr(pb2, "_epochs", epochs)
    return found


def test_a_population_takes_the_compute_of_its_members_and_continues_their_networks(pb2, trained):
    space = pb2._space("pb2", 0, OPTIONS)
    most = 4 * space.max_resource
    found = pb2._search(space, None, most)
    assert found.compute == most == PASSES * len(trained)
    # The member with the highest seed is the best, and is continued after each of 7 intervals.
    assert sum(seed == 3 for seed, _ in trained) > 8
    assert found.test_accuracy == 3


def test_a_paused_trial_continues_and_an_unfinished_one_does_not_count(pb2, trained):
    space = pb2._space("knots", 0, OPTIONS)
    most = 2.5 * space.max_resource
    found = pb2._search(space, None, most)
    assert len(set(trained)) == len(trained)  # no epoch twice
    within = trained[: round(most / PASSES)]
    finished = [seed for seed, epoch in within if epoch == space.examples[0].epochs]
    assert found == (max(finished), most)
    begun = [seed for seed, epoch in within if epoch == 1]
    assert len(finished) < len(begun)  # the others are paused


def test_the_searches_differ_in_what_may_change_while_training(pb2):
    spaces = {name: pb2._space(name, 2, OPTIONS) for name in pb2.SEARCHES}
    searched = {name: {dim.path for dim in space.dimensions} for name, space in spaces.items()}
    assert searched["pb2"] == searched["constant"] == {"sam.rho", "saner.alpha", "optimizer.lr"}
    assert len(searched["knots"] - searched["constant"]) == 4
    assert {space.max_resource for space in spaces.values()} == {16}
    assert {space.examples[0].data.seed for space in spaces.values()} == {2}


def test_an_epoch_continues_from_a_checkpoint(pb2):
    config = pb2._space("constant", 0, OPTIONS).config_for({}, threads=1)
    data = config.data.model_copy(update={"subset": 200})
    small = config.model_copy(update={"data": data})
    splits = make_splits(data, load_dataset(data))
    with pb2.closing(pb2._epochs(small, splits, None)) as epochs:
        first = next(epochs).snapshot().checkpoint()
        whole = next(epochs).metrics
    with pb2.closing(pb2._epochs(small, splits, first)) as epochs:
        same = next(epochs).metrics
    timed = {"seconds", "images_per_second", "peak_memory_mb"}
    for name in whole.keys() - timed:
        assert same[name] == pytest.approx(whole[name], nan_ok=True, abs=0), name


def test_recorded_searches_are_read_and_missing_data_is_said(
    pb2, tmp_path, monkeypatch, measured_by
):
    path = tmp_path / "pb2.jsonl"
    for seed, accuracy in enumerate((0.9, 0.92)):
        pb2._append(path, "digits", seed, {"pb2": pb2.Outcome(accuracy, 64.0)})
        others = {name: pb2.Outcome(0.9, 60.0) for name in ("knots", "constant")}
        pb2._append(path, "digits", seed, others)
    pb2._append(path, "digits", 2, {"pb2": pb2.Outcome(0.1, 64.0)})  # the others are missing
    monkeypatch.setattr(pb2, "_space", lambda *given: (_ for _ in ()).throw(UserError("no data")))
    found = measured_by(pb2, "--results", str(path))["data"]["digits"]
    for name in ("knots", "constant"):
        assert found["difference"][name]["mean"] == pytest.approx(0.01)
        assert found["difference"][name]["n"] == 2
    measured_by(pb2, "--results", str(path), "--data", "cifar10", "--seeds", "1")
    assert len(path.read_text().splitlines()) == 5
    assert json.loads(path.read_text().splitlines()[4])[:2] == ["digits", 2]
