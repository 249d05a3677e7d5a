"""Which logs a search opens, and that one which cannot be used does not stop it."""

import sys

import pytest

from tests.tuning.simulated import simulate, space
from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.store import RunStore
from tune_robust.tuning.engine.logs import Logs
from tune_robust.tuning.engine.watching import Silent


class Told(Silent):
    def __init__(self):
        self.notes, self.warnings = [], []

    def note(self, text):
        self.notes.append(text)

    def warn(self, text):
        self.warnings.append(text)


@pytest.fixture
def store(tmp_path):
    simulate(space(budget={"trials": 1}), tmp_path / "r")
    store = RunStore(RunFolder(tmp_path / "r"))
    yield store
    store.close()


def test_without_options_only_the_logs_that_exist_are_continued(store):
    assert Logs().open(store, Told()) == []
    store.folder.tensorboard.mkdir()
    (board,) = Logs().open(store, Told())
    board.close()
    assert [*store.folder.tensorboard.iterdir()]


def test_a_tracker_that_is_asked_for_and_missing_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r'pip install "tune-robust\[wandb\]"'):
        Logs(wandb=True)


def test_a_tracker_of_the_run_that_is_missing_here_is_a_warning(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    store.folder.tracking("mlflow").write_text('{"trials": {}}')
    told = Told()
    assert Logs().open(store, told) == []
    (warning,) = told.warnings
    assert warning.startswith("The trials are not logged: --mlflow needs a library")
