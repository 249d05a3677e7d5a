"""What a resumed run may change, and what it may not. No trial is run here."""

import contextlib

import pytest

import tune_robust as tr
from tests.tuning.simulated import simulate, space
from tune_robust.api.resume import _changed, _opened, _point_out_failed
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


def test_a_space_that_lacks_its_parts_is_refused(finished):
    with pytest.raises(tr.UserError, match="train"):
        _changed({"a": {"b": []}}, None, None)
    with pytest.raises(tr.UserError, match=r"budget\.trials"):
        _changed({**document(finished), "budget": {"trials": "many"}}, "+8", None)


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
def without_ray(monkeypatch):
    """What Ray would do is done by ``work``, after it has started by ``starts``."""
    monkeypatch.setattr("tune_robust.tuning.engine.preparing.prepare", lambda *_: {})
    monkeypatch.setattr(searching, "slots_of_run", lambda *_: Slots(1, 0, 1))
    monkeypatch.setattr("tune_robust.runs.disk.check_disk", lambda *_, **__: None)

    def replaced(starts=contextlib.nullcontext, work=lambda *_: None):
        monkeypatch.setattr(searching, "_cluster", lambda *_: starts())
        monkeypatch.setattr("tune_robust.tuning.engine.ray_backend.run_trials", work)

    return replaced


@contextlib.contextmanager
def no_ray():
    raise tr.UserError("Ray does not start")
    yield


@contextlib.contextmanager
def interrupted():
    raise KeyboardInterrupt
    yield


def total(path):
    return RunFolder(path).read_meta()["space"]["budget"]["trials"]


def written(path):
    """What the run at ``path`` says of itself."""
    return {name: (path / name).read_bytes() for name in ("run.json", "events.jsonl")}


def test_a_resumed_search_that_cannot_begin_changes_nothing(without_ray, tmp_path):
    simulate(space(), tmp_path / "r", lambda trial, epoch: None if trial.number == 3 else 0.5)
    before = written(tmp_path / "r")
    without_ray(starts=no_ray)
    for asked in ({"trials": "+8"}, {"retry_failed": True}):
        with pytest.raises(tr.UserError, match="does not start"):
            tr.resume(tmp_path / "r", progress=False, **asked)
        assert written(tmp_path / "r") == before


def test_what_was_added_stays_once_the_search_began_or_was_interrupted_before(
    without_ray, tmp_path
):
    simulate(space(), tmp_path / "r")
    without_ray(starts=interrupted)
    with pytest.raises(KeyboardInterrupt, match="12 of 20 trials"):
        tr.resume(tmp_path / "r", trials="+8", progress=False)
    assert total(tmp_path / "r") == 20
    seen = []
    without_ray(work=lambda *_: seen.append(total(tmp_path / "r")))
    with pytest.raises(KeyboardInterrupt):
        tr.resume(tmp_path / "r", trials="+8", progress=False)
    assert seen == [28]


def test_failed_trials_are_next_once_the_search_begins(without_ray, tmp_path):
    simulate(space(), tmp_path / "r", lambda trial, epoch: None if trial.number == 3 else 0.5)
    next_ones = []
    without_ray(work=lambda conductor, _: next_ones.append(conductor.next_trial().name))
    with pytest.raises(KeyboardInterrupt, match="11 of 12 trials"):
        tr.resume(tmp_path / "r", retry_failed=True, progress=False)
    assert next_ones == ["t0004"]


def test_a_confirmation_that_cannot_begin_changes_nothing(without_ray, tmp_path):
    simulate(space(), tmp_path / "r")
    confirmation = tmp_path / "r" / "confirm"
    without_ray(starts=no_ray)
    with pytest.raises(tr.UserError, match="does not start"):
        tr.confirm(tmp_path / "r", seeds=2, progress=False)
    assert not confirmation.exists()
    without_ray()
    with pytest.raises(KeyboardInterrupt, match="0 of 2 trials"):
        tr.confirm(tmp_path / "r", top=1, seeds=2, progress=False)
    before = written(confirmation)
    without_ray(starts=no_ray)
    for asked in ({"top": 1, "seeds": 3}, {"top": 2, "seeds": 2}):
        with pytest.raises(tr.UserError, match="does not start"):
            tr.confirm(tmp_path / "r", progress=False, **asked)
        assert written(confirmation) == before


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
        store = _opened(RunFolder(tmp_path / "r"), watcher, False)
        _point_out_failed(store, watcher, retry_failed)
        store.close()
        assert any("3 trials have failed before" in note for note in watcher.notes) is said
        assert any("--retry-failed" in note for note in watcher.notes) is said
