"""What trackers are handed, in which order, and that their failures stay theirs."""

import threading

import pytest

from tests.tuning.simulated import simulate, space
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials
from tune_robust.runs.trial import Trial
from tune_robust.tracking.background import Tracking


class Kept:
    """A tracker that keeps its runs in memory: ``runs[id] = [trial, epochs, how it ended]``."""

    title, place = "Kept", "in memory"

    def __init__(self, runs, fails_after=None):
        self.runs, self.open, self.calls, self.fails_after = runs, {}, 0, fails_after

    def start(self, trial, known):
        self._call()
        number = known or f"run{len(self.runs)}"
        self.open[trial.name] = number
        _, epochs, _ = self.runs.setdefault(number, [trial.name, [], None])
        return number, max(epochs, default=0)

    def log(self, trial, epoch):
        self._call()
        self.runs[self.open[trial.name]][1].append(epoch)

    def end(self, trial):
        self._call()
        self.runs[self.open.pop(trial.name)][2] = trial.status

    def close(self):
        self._call()
        for number in self.open.values():
            self.runs[number][2] = "interrupted"

    def _call(self):
        self.calls += 1
        if self.calls == self.fails_after:
            raise ConnectionError("the server is gone.\nmore lines")


@pytest.fixture
def state(tmp_path):
    return tmp_path / "kept.json"


def logged(trials, tracker, state):
    """Log these trials, and return what is warned of."""
    told = []
    tracking = Tracking(tracker, state, told.append)
    tracking.open(trials)
    tracking.close()
    return told


def running(epochs, status="running"):
    metrics = {"val_accuracy": 0.5}
    return Trial("t0001", "sampled", {}, {}, status=status, epochs=dict.fromkeys(epochs, metrics))


def test_every_trial_that_has_begun_is_logged_whole_and_once(tmp_path, state):
    simulate(space(), tmp_path / "r")
    trials = read_trials(RunFolder(tmp_path / "r"))
    runs = {}
    assert logged(trials.values(), Kept(runs), state) == []
    assert {name: (epochs, end) for name, epochs, end in runs.values()} == {
        trial.name: (sorted(trial.epochs), trial.status) for trial in trials.values()
    }
    again = Kept(runs)
    logged(trials.values(), again, state)
    assert again.calls == 1  # close alone


def test_an_interrupted_trial_continues_its_run(state):
    runs = {}
    logged([running([1, 2])], Kept(runs), state)
    assert runs == {"run0": ["t0001", [1, 2], "interrupted"]}
    logged([running([1, 2], "interrupted")], Kept(runs), state)
    assert runs == {"run0": ["t0001", [1, 2], "interrupted"]}
    logged([running([1, 2, 3]), running([1, 2, 3, 4], "done")], Kept(runs), state)
    assert runs == {"run0": ["t0001", [1, 2, 3, 4], "done"]}


def test_a_trial_that_is_trained_again_gets_a_new_run(state):
    runs = {}
    logged([running([1], "failed")], Kept(runs), state)
    logged([running([], "pending"), running([]), running([1, 2], "done")], Kept(runs), state)
    assert runs == {"run0": ["t0001", [1], "failed"], "run1": ["t0001", [1, 2], "done"]}


def test_a_trial_that_fails_and_is_trained_again_at_once_gets_a_new_run_too(state):
    runs = {}
    logged([running([1], "failed"), running([]), running([1, 2], "done")], Kept(runs), state)
    assert runs == {"run0": ["t0001", [1], "failed"], "run1": ["t0001", [1, 2], "done"]}


def test_a_trial_handed_over_is_the_one_of_that_moment(state):
    runs, begun = {}, threading.Event()

    class Slow(Kept):
        def start(self, trial, known):
            begun.wait()
            return super().start(trial, known)

    tracking = Tracking(Slow(runs), state, pytest.fail)
    trial = running([1])
    tracking.open([trial])
    trial.epochs.clear()
    begun.set()
    tracking.close()
    assert runs["run0"][1] == [1]


@pytest.mark.parametrize("call", [1, 2, 5])
def test_a_failure_is_told_once_and_what_is_missing_is_logged_later(state, call):
    runs, told = {}, []
    failing = Tracking(Kept(runs, fails_after=call), state, told.append)
    failing.open([])
    for epoch in range(1, 7):
        failing.update(running(range(1, epoch + 1), "done" if epoch == 6 else "running"))
    failing.close()
    (message,) = told
    assert (
        "Kept has failed, and the search goes on without it: ConnectionError: the server is gone."
        in message
    )
    assert f"tune-robust resume {state.parent}" in message
    assert logged([running(range(1, 7), "done")], Kept(runs), state) == []
    assert [(epochs, end) for _, epochs, end in runs.values()] == [([1, 2, 3, 4, 5, 6], "done")]


def test_a_tracker_that_hangs_does_not_hold_up_the_end(state):
    released, told = threading.Event(), []

    class Hanging(Kept):
        def log(self, trial, epoch):
            released.wait()

    tracking = Tracking(Hanging({}), state, told.append, patience=0.05)
    tracking.open([running([1])])
    tracking.close()
    released.set()
    assert "it has not taken everything within 0.05 s" in told[0]


def test_a_damaged_record_of_what_is_logged_says_what_to_do(state):
    state.write_text("{")
    (told,) = logged([running([1])], Kept({}), state)
    assert "is damaged" in told
    assert "Delete it to log all trials again" in told
