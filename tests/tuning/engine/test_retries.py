"""Trials that ran out of memory, and trials whose process died: retried, but not for ever."""

import json

import pytest

from tests.tuning.simulated import peak, space, store_at
from tune_robust.runs.reader import read_trials
from tune_robust.tuning.engine.conductor import RETRIES, Conductor, Decision
from tune_robust.tuning.engine.slots import Slots


@pytest.fixture
def conductor(tmp_path):
    searched = space(budget={"trials": 6, "scheduler": "none"})
    conductor = Conductor(searched, store_at(tmp_path / "r", searched), threads=1)
    conductor.give(Slots(1, 0.25, 4))
    yield conductor
    conductor.close()


def started(conductor):
    """Start as many as there is room for."""
    return [*iter(conductor.next_trial, None)]


def run_to_its_end(conductor, trial):
    for epoch in range(max(trial.epochs, default=0) + 1, trial.total_epochs + 1):
        metrics = {"val_accuracy": peak(trial, epoch), "gradient_evaluations": 2 * epoch}
        if conductor.on_epoch(trial.name, epoch, metrics) is Decision.END:
            return


def recorded(conductor):
    return conductor.store.folder.read_meta()["slots"]


def test_no_more_run_at_a_time_than_there_are_slots(conductor):
    first = started(conductor)
    assert len(first) == conductor.running == 4
    run_to_its_end(conductor, first[0])
    assert len(started(conductor)) == 1


def test_out_of_memory_halves_the_concurrency_and_retries(conductor):
    first, second, third, fourth = started(conductor)
    conductor.on_epoch(second.name, 1, {"val_accuracy": 0.5, "gradient_evaluations": 2})
    conductor.out_of_memory(second.name, "tried to allocate 2 GiB")
    assert second.status == "interrupted"
    assert "out of GPU memory, retried with 2 at a time" in second.error
    assert "0.5 GPU" in second.error
    assert recorded(conductor) == {"cpus": 1, "gpus": 0.5, "concurrency": 2, "processes": 1}
    assert started(conductor) == []
    run_to_its_end(conductor, first)
    assert started(conductor) == []
    run_to_its_end(conductor, third)
    assert started(conductor) == [second]
    assert list(second.epochs) == [1]
    run_to_its_end(conductor, fourth)
    for trial in [second, *started(conductor)]:
        run_to_its_end(conductor, trial)
    for trial in started(conductor):
        run_to_its_end(conductor, trial)
    assert conductor.complete
    assert {t.status for t in conductor.trials.values()} == {"done"}
    assert conductor.slots.concurrency == 2
    events = conductor.store.folder.events.read_text().splitlines()
    ends = [e for e in map(json.loads, events) if e["event"] == "end" and e["trial"] == second.name]
    assert [e["status"] for e in ends] == ["interrupted", "done"]
    assert "out of GPU memory" in ends[0]["error"]
    assert read_trials(conductor.store.folder)[second.name].retried == [ends[0]["error"]]


def test_two_that_ran_out_together_halve_it_once(conductor):
    first, second, *_ = started(conductor)
    conductor.out_of_memory(first.name, "")
    conductor.out_of_memory(second.name, "")
    assert conductor.slots == Slots(1, 0.5, 2)


def test_a_trial_too_large_for_a_whole_gpu_fails_and_the_others_run_as_before(conductor):
    greedy, *others = started(conductor)
    conductor.out_of_memory(greedy.name, "")
    for trial in others:
        run_to_its_end(conductor, trial)
    assert started(conductor)[0] is greedy
    conductor.out_of_memory(greedy.name, "")
    assert conductor.slots == Slots(1, 1.0, 1)
    for trial in [t for t in conductor.trials.values() if t.status == "running"]:
        run_to_its_end(conductor, trial)
    assert started(conductor) == [greedy]
    conductor.out_of_memory(greedy.name, "tried to allocate 900 GiB.")
    assert greedy.status == "failed"
    for promised in ("900 GiB", "train.batch_size", "resources.gpus"):
        assert promised in greedy.error
    assert conductor.slots == Slots(1, 0.25, 4)


def test_a_trial_whose_process_keeps_dying_fails_at_last(conductor):
    trial = conductor.next_trial()
    for _ in range(RETRIES):
        conductor.process_lost(trial.name, "killed")
        assert trial.status == "interrupted"
        assert conductor.next_trial() is trial
    conductor.process_lost(trial.name, "killed")
    assert trial.status == "failed"
    assert trial.error == "its process was lost 3 times in a row: killed"
    assert conductor.next_trial() is not trial


def test_a_trial_that_gets_on_is_retried_for_as_long_as_nodes_are_lost(tmp_path):
    searched = space()
    conductor = Conductor(searched, store_at(tmp_path / "r", searched), threads=1)
    trial = conductor.next_trial()
    for epoch in range(1, RETRIES + 4):
        conductor.on_epoch(trial.name, epoch, {"val_accuracy": 1.0, "gradient_evaluations": epoch})
        conductor.process_lost(trial.name, "its node was lost")
        assert conductor.next_trial() is trial
    assert len(trial.retried) == RETRIES + 3
    conductor.close()
