"""What a resumed run may change, and what it may not. No trial is run here."""

import contextlib

import pytest

import tune_robust as tr
from tests.tuning.simulated import simulate, space
from tune_robust.api.resume import _changed, _opened
from tune_robust.runs.folder import RunFolder
from tune_robust.tuning.engine import searching
from tune_robust.tuning.engine.slots import Slots


def document(finished):
    return tr.load_run(finished).space


@pytest.mark.parametrize(
    ("trials", "settings", "total"),
    [
        (None, None, 12),
        (20, None, 20),
        ("+8", None, 20),
        ("20", {}, 20),
        (None, {"budget.trials": 20}, 20),
        (None, ["budget.trials=20"], 20),
    ],
)
def test_the_new_total(finished, trials, settings, total):
    assert _changed(document(finished), trials, settings).trials == total


def test_resources_may_change(finished):
    settings = {"resources.cpus": 2, "resources.concurrency": 1}
    resources = _changed(document(finished), None, settings).resources
    assert (resources.cpus, resources.concurrency) == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": 4}, "the run has 12 already"),
        ({"trials": "many"}, r"a total such as 40, or an increase such as \+20"),
        ({"settings": {"train.epochs": 3}}, "train.epochs: it was fixed when the run began"),
        ({"settings": {"budget.trails": 30}}, "Did you mean 'budget.trials'"),
        ({"settings": ["epochs"]}, "expected path=value"),
        ({"settings": {"resources.cpus": 0}}, "resources.cpus"),
    ],
)
def test_a_mistake_is_explained_and_nothing_is_written(finished, arguments, message):
    before = (finished / "run.json").read_text()
    with pytest.raises(tr.UserError, match=message):
        tr.resume("r1", progress=False, **arguments)
    assert (finished / "run.json").read_text() == before


@pytest.fixture
def extended(tmp_path, monkeypatch):
    """Resumes a finished run of 12 trials with 8 more, what Ray would do being done by ``work``."""
    simulate(space(), tmp_path / "r")
    monkeypatch.setattr("tune_robust.tuning.engine.preparing.prepare", lambda *_: {})
    monkeypatch.setattr(searching, "slots_of_run", lambda *_: Slots(1, 0, 1))
    monkeypatch.setattr("tune_robust.runs.disk.check_disk", lambda *_, **__: None)

    def extend(starts=contextlib.nullcontext, work=lambda *_: None):
        monkeypatch.setattr(searching, "_cluster", lambda *_: starts())
        monkeypatch.setattr("tune_robust.tuning.engine.ray_backend.run_trials", work)
        tr.resume(tmp_path / "r", trials="+8", progress=False)

    return extend


def total(path):
    return RunFolder(path).read_meta()["space"]["budget"]["trials"]


def test_a_resumed_search_that_cannot_begin_adds_nothing(extended, tmp_path):
    @contextlib.contextmanager
    def no_ray():
        raise tr.UserError("Ray does not start")
        yield

    with pytest.raises(tr.UserError, match="does not start"):
        extended(starts=no_ray)
    assert total(tmp_path / "r") == 12


def test_what_was_added_stays_once_the_search_began_or_was_interrupted_before(extended, tmp_path):
    @contextlib.contextmanager
    def interrupted():
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt, match="12 of 20 trials"):
        extended(starts=interrupted)
    assert total(tmp_path / "r") == 20
    seen = []
    with pytest.raises(KeyboardInterrupt):
        extended(work=lambda *_: seen.append(total(tmp_path / "r")))
    assert seen == [28]


class Told:
    """A watcher that remembers what it is told."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def test_failed_trials_are_pointed_out_unless_they_are_trained_again(tmp_path):
    simulate(space(), tmp_path / "r", lambda trial, epoch: None)
    for retry_failed, said in ((False, True), (True, False)):
        watcher = Told()
        _opened(RunFolder(tmp_path / "r"), watcher, retry_failed, False).close()
        assert any("3 trials have failed before" in note for note in watcher.notes) is said
        assert any("--retry-failed" in note for note in watcher.notes) is said
