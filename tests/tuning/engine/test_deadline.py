"""A search under ``budget.hours`` or ``budget.gpu_hours`` ends on time, with its best finished."""

import pytest

from tests.tuning.simulated import peak, space, store_at
from tune_robust.errors import ConfigError, UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.listing import list_runs
from tune_robust.runs.time_used import sentence, time_used
from tune_robust.runs.trial import Trial
from tune_robust.spaces.sections import Budget
from tune_robust.tuning.engine.allocation import check_limits
from tune_robust.tuning.engine.conductor import Conductor, Decision
from tune_robust.tuning.engine.deadline import TimeLimits
from tune_robust.tuning.engine.slots import Slots

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

    limits = TimeLimits(Budget(trials=9, hours=100 / 3600), {}, lambda: 0.0)

    def allows(trial, trials):
        return limits.exceeded(trial, trials, gpus=0) is None

    slow, fast, new = trial(5, 19.9), trial(5, 1.0), trial(0, 0.0)
    assert allows(None, [])
    assert allows(slow, [])  # 99.5 s are left to it
    assert not allows(trial(4, 19.9), [])
    assert allows(None, [fast, slow, fast])
    assert not allows(None, [fast, slow, slow])
    assert allows(new, [fast])


@pytest.mark.parametrize("hours", [0, -1])
def test_hours_are_above_zero(hours):
    with pytest.raises(ConfigError, match="hours"):
        space(budget={"trials": 3, "hours": hours})


# --- budget.gpu_hours -----------------------------------------------------------------------------


def shared(path, clock, gpus=0.25, concurrency=4, stop_after=None, **budget):
    """Run trials that share a GPU, an epoch of each after the other, until nothing is left."""
    given = {"trials": 40, "scheduler": "none", "hours": None, "gpu_hours": 0.5, **budget}
    searched = space(budget=given, searcher={"name": "random"}, resources={"gpus": gpus, "cpus": 1})
    store = store_at(path, searched)
    conductor = Conductor(searched, store, threads=1, clock=clock)
    conductor.give(Slots(cpus=1, gpus=gpus, concurrency=concurrency))
    running, epochs = [], 0
    while True:
        while (trial := conductor.next_trial()) is not None:
            running.append(trial)
        if not running:
            conductor.close()
            return conductor
        clock.now += EPOCH
        for trial in [*running]:
            if epochs == stop_after:
                store.close()
                return conductor
            epochs += 1
            epoch = max(trial.epochs, default=0) + 1
            metrics = {
                "val_accuracy": peak(trial, epoch),
                "gradient_evaluations": 2 * epoch,
                "seconds": EPOCH * epoch,
            }
            if conductor.on_epoch(trial.name, epoch, metrics) is Decision.END:
                running.remove(trial)


@pytest.mark.parametrize(("gpus", "trials"), [(1.0, 4), (0.25, 19)])
def test_the_time_on_gpus_is_the_sum_of_fractions(tmp_path, gpus, trials):
    conductor = shared(tmp_path / "r", Clock(), gpus=gpus)
    # A trial of 6 minutes takes 0.1 GPU-hours alone, and a quarter of that with three others.
    assert statuses(conductor) == ["done"] * trials
    meta = RunFolder(tmp_path / "r").read_meta()
    assert meta["gpu_seconds_used"] == pytest.approx(trials * 360 * gpus)
    assert conductor.complete
    assert conductor.out_of_time == "gpu_hours"
    [used] = time_used(conductor.space, meta)
    assert sentence([used]) == f"Time used: {trials * gpus / 10:.3g} of 0.5 GPU-hours."


def test_trials_that_stop_early_leave_their_time_to_others(tmp_path):
    conductor = shared(tmp_path / "r", Clock(), gpus=1.0, scheduler="asha", grace=4, reduction=2)
    assert len(conductor.trials) > 4
    assert RunFolder(tmp_path / "r").read_meta()["gpu_seconds_used"] <= 1800
    assert conductor.complete


def test_the_time_on_gpus_of_earlier_sessions_counts(tmp_path):
    clock = Clock()
    shared(tmp_path / "r", clock, stop_after=30)  # killed in its second four
    clock.now += 100_000
    conductor = shared(tmp_path / "r", clock)
    # What was used after the last trial had ended, two minutes on the GPU, does not count.
    assert statuses(conductor) == ["done"] * 20
    assert RunFolder(tmp_path / "r").read_meta()["gpu_seconds_used"] <= 1800


def test_trials_on_the_cpu_have_no_time_on_gpus():
    with pytest.raises(ConfigError, match=r"Choose budget\.hours"):
        space(budget={"trials": 3, "gpu_hours": 1})
    wanted = space(budget={"trials": 3, "gpu_hours": 1}, resources={"gpus": 1})
    check_limits(wanted, Slots(1, 1.0, 1))
    with pytest.raises(UserError, match="there is no GPU here"):
        check_limits(wanted, Slots(1, 0.0, 2))
