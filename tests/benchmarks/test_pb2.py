"""PB2 beside searched knots: who copies whom, what the searches may spend, and what is chosen."""

import json
from argparse import Namespace
from types import SimpleNamespace

import numpy as np
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


def checkpoint(epoch, score, test):
    metrics = {
        "gradient_evaluations": float(PASSES * epoch),
        "val_accuracy": score,
        "test_accuracy": test,
    }
    return Checkpoint(epoch=epoch, metrics=metrics, config={}, state={})


def test_the_worst_quarter_continues_from_the_best_with_selected_settings(pb2, monkeypatch):
    members = [
        pb2.Member(np.full(3, float(n)), checkpoint(5, n / 10, 0.0), [pb2.CHANCE, n / 10])
        for n in range(8)
    ]
    given = []

    def selected(rows, current, place):
        given.append((current[:, 0].tolist(), place.tolist()))
        return np.full(3, 0.5)

    monkeypatch.setattr(pb2, "_selected", selected)
    seen = [[0, pb2.CHANCE, *member.settings, 0.0] for member in members]
    pb2._exploit(members, seen, 1)
    for worst in members[:2]:
        [source] = [one for one in members[6:] if one.checkpoint is worst.checkpoint]
        assert worst.scores == source.scores
        assert worst.scores is not source.scores
        assert worst.settings.tolist() == [0.5] * 3
    assert [member.settings[0] for member in members[2:]] == [2, 3, 4, 5, 6, 7]
    assert [current for current, _ in given] == [[2, 3, 4, 5, 6, 7], [2, 3, 4, 5, 6, 7, 0.5]]
    assert {tuple(place) for _, place in given} <= {(1.0, 0.6), (1.0, 0.7)}


def test_a_population_takes_the_compute_of_its_members_and_chooses_by_validation(pb2, monkeypatch):
    def interval(config, splits, start):
        epoch = 1 if start is None else start.epoch + 1
        score = 0.5 + 0.1 * config.saner.alpha
        return checkpoint(epoch, score, test=1 - config.saner.alpha)

    settings = iter(np.linspace(0, 1, 4))
    monkeypatch.setattr(pb2, "_drawn", lambda: np.array([-1.0, next(settings), -1.0]))
    monkeypatch.setattr(pb2, "_interval", interval)
    monkeypatch.setattr(pb2, "_exploit", lambda *given: None)
    config = pb2._searched(0, OPTIONS).config_for({}, threads=1)
    found = pb2._pb2(config, None, 0, members=4)
    assert found == (0.0, 4 * PASSES * pb2.INTERVALS)


def test_a_paused_trial_continues_and_an_unfinished_one_does_not_count(pb2, monkeypatch):
    space = pb2._searched(0, OPTIONS)
    most = 2.5 * space.max_resource
    trained = []

    def epochs(config, splits, start):
        first = 1 if start is None else start.epoch + 1
        for epoch in range(first, config.epochs + 1):
            trained.append((config.seed, epoch))
            found = checkpoint(epoch, score=0.5 + 0.001 * config.seed, test=config.seed)
            snapshot = SimpleNamespace(checkpoint=lambda found=found: found)
            yield SimpleNamespace(
                epoch=epoch, metrics=found.metrics, snapshot=lambda snapshot=snapshot: snapshot
            )

    monkeypatch.setattr(pb2, "_epochs", epochs)
    found = pb2._knots(space, None, most)
    assert len(set(trained)) == len(trained)  # no epoch twice
    within = trained[: round(most / PASSES)]
    finished = [seed for seed, epoch in within if epoch == space.examples[0].epochs]
    assert found == (max(finished), most)
    begun = [seed for seed, epoch in within if epoch == 1]
    assert len(finished) < len(begun)  # the others are paused


def test_an_interval_continues_network_and_optimizer_with_the_new_settings(pb2):
    config = pb2._searched(0, OPTIONS).config_for({}, threads=1)
    constant = config.sam.model_copy(update={"rho_schedule": pb2.Constant()})
    data = config.data.model_copy(update={"subset": 200})
    small = config.model_copy(update={"data": data, "sam": constant})
    splits = make_splits(data, load_dataset(data))
    own = pb2._with(small, np.array([-1.0, 0.3, -1.0]), seed=3)
    first = pb2._interval(own, splits, None)
    with pb2.closing(pb2._epochs(own, splits, None)) as epochs:
        next(epochs)
        whole = next(epochs).metrics
    same = pb2._interval(own, splits, first).metrics
    timed = {"seconds", "images_per_second", "peak_memory_mb"}
    for name in whole.keys() - timed:
        assert same[name] == pytest.approx(whole[name], nan_ok=True, abs=0), name
    other = pb2._interval(pb2._with(small, np.array([0.0, 0.8, -1.5]), seed=3), splits, first)
    assert (other.epoch, other.metrics["rho"]) == (2, 1.0)
    assert other.metrics["lr"] == pytest.approx(whole["lr"] * 10**-0.5)


def test_recorded_pairs_are_read_and_missing_data_is_said(
    pb2, tmp_path, monkeypatch, measured_by, capsys
):
    path = tmp_path / "pb2.jsonl"
    for seed, accuracy in enumerate((0.9, 0.92)):
        pair = {"pb2": pb2.Outcome(accuracy, 64.0), "knots": pb2.Outcome(0.9, 60.0)}
        pb2._append(path, "digits", seed, pair)
    monkeypatch.setattr(pb2, "_pair", lambda *given: (_ for _ in ()).throw(UserError("no data")))
    found = measured_by(pb2, "--results", str(path))["data"]["digits"]
    assert found["difference"]["mean"] == pytest.approx(0.01)
    assert found["difference"]["n"] == 2
    measured_by(pb2, "--results", str(path), "--data", "cifar10", "--seeds", "1")
    assert len(path.read_text().splitlines()) == 2
    assert json.loads(path.read_text().splitlines()[1])[:2] == ["digits", 1]
