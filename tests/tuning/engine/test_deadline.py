"""A search under ``budget.hours`` ends on time, with its best trial finished."""

import pytest

from tests.tuning.simulated import peak, space, store_at
from tune_robust.errors import ConfigError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.listing import list_runs
from tune_robust.runs.trial import Trial
from tune_robust.tuning.engine.conductor import Conductor, Decision
from tune_robust.tuning.engine.deadline import Deadline

EPOCH = 60.0
"""Seconds of an epoch; a trial has 6."""


class Clock:
    """The time of a simulated search."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def search(path, clock, *, stop_after=None, **budget):
    """Run one trial at a time until nothing is left, or for ``stop_after`` epochs."""
    given = {"trials": 30, "scheduler": "none", "hours": 0.5, **budget}
    searched = space(budget=given, searcher={"name": "random"})
    store = store_at(path, searched)
    conductor = Conductor(searched, store, threads=1, clock=clock)
    epochs = 0
    while (trial := conductor.next_trial()) is not None:
        for epoch in range(max(trial.epochs, default=0) + 1, 7):
            if epochs == stop_after:
                store.close()
                return conductor
            epochs += 1
            clock.now += EPOCH
            metrics = {
                "val_accuracy": peak(trial, epoch),
                "gradient_evaluations": 2 * epoch,
                "seconds": EPOCH * epoch,
            }
            if conductor.on_epoch(trial.name, epoch, metrics) is Decision.END:
                break
    conductor.close()
    return conductor


def statuses(conductor):
    return [trial.status for trial in conductor.trials.values()]


def test_it_ends_on_time_with_every_trial_finished(tmp_path):
    clock = Clock()
    conductor = search(tmp_path / "r", clock)
    # 30 minutes have room for four trials of 6 minutes; a fifth would end exactly with the time.
    assert statuses(conductor) == ["done"] * 4
    assert clock.now - 1000 <= 1800
    assert conductor.complete


def test_without_it_all_trials_run(tmp_path):
    assert statuses(search(tmp_path / "r", Clock(), hours=None)) == ["done"] * 30


def test_paused_trials_are_promoted_only_in_time(tmp_path):
    clock = Clock()
    budget = {"scheduler": "promotion", "grace": 4, "reduction": 2}
    conductor = search(tmp_path / "r", clock, **budget)
    assert set(statuses(conductor)) == {"done", "stopped"}
    assert clock.now - 1000 <= 1800
    assert conductor.complete


def test_the_time_of_earlier_sessions_counts(tmp_path):
    clock = Clock()
    search(tmp_path / "r", clock, stop_after=13)  # killed in its third trial
    clock.now += 100_000
    began = clock.now
    conductor = search(tmp_path / "r", clock)
    assert clock.now - began <= 1800 - 2 * 6 * EPOCH
    assert conductor.complete
    assert set(statuses(conductor)) == {"done"}


def test_an_interrupted_trial_that_cannot_finish_is_stopped(tmp_path):
    clock = Clock()
    search(tmp_path / "r", clock, stop_after=19)
    shorter = search(tmp_path / "r", clock, hours=0.31)
    assert statuses(shorter) == ["done", "done", "done", "stopped"]
    assert shorter.complete


def test_more_hours_let_it_go_on(tmp_path):
    clock = Clock()
    search(tmp_path / "r", clock)
    assert len(search(tmp_path / "r", clock, hours=1.0).trials) > 6


def test_a_search_whose_time_is_up_counts_as_finished(tmp_path):
    search(tmp_path / "r", Clock())
    assert RunFolder(tmp_path / "r").read_meta()["out_of_time"] is True
    [summary] = list_runs(str(tmp_path))
    assert (summary.state, summary.ended, summary.total) == ("finished", 4, 30)


def test_the_estimate_is_the_trials_own_or_that_of_the_median_trial():
    def trial(epochs, seconds):
        metrics = {n: {"seconds": seconds * n} for n in range(1, epochs + 1)}
        return Trial("t0001", "sampled", {}, {"epochs": 10}, epochs=metrics)

    deadline = Deadline(100 / 3600, 0.0, lambda: 0.0)
    slow, fast, new = trial(5, 19.9), trial(5, 1.0), trial(0, 0.0)
    assert deadline.allows(None, [])
    assert deadline.allows(slow, [])  # 99.5 s are left to it
    assert not deadline.allows(trial(4, 19.9), [])
    assert deadline.allows(None, [fast, slow, fast])
    assert not deadline.allows(None, [fast, slow, slow])
    assert deadline.allows(new, [fast])


@pytest.mark.parametrize("hours", [0, -1])
def test_hours_are_above_zero(hours):
    with pytest.raises(ConfigError, match="hours"):
        space(budget={"trials": 3, "hours": hours})
