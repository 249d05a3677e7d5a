"""What a search says when its storage fails under it, without Ray."""

import contextlib
import errno
import os
import shutil

import pytest

from tests.tuning.simulated import space, store_at
from tune_robust.errors import UserError
from tune_robust.runs.store import RunStore
from tune_robust.tuning.engine import searching
from tune_robust.tuning.engine.searching import RayOptions, run_search
from tune_robust.tuning.engine.watching import Silent


@pytest.fixture
def search(tmp_path, monkeypatch):
    """Searches the run ``r1``, what Ray would do being done by a function of the conductor."""

    def run(work):
        monkeypatch.setattr(searching, "_cluster", lambda *_: contextlib.nullcontext())
        monkeypatch.setattr(searching, "_run_trials", lambda conductor, *_: work(conductor))
        searched = space()
        store = store_at(tmp_path / "r1", searched)
        run_search(searched, store, str(tmp_path), RayOptions(), Silent())

    return run


def test_a_run_folder_removed_in_mid_run_ends_the_search_and_is_not_made_anew(search, tmp_path):
    def work(conductor):
        trial = conductor.next_trial()
        shutil.rmtree(tmp_path / "r1")
        conductor.on_epoch(trial.name, 1, {"val_accuracy": 0.5})

    with pytest.raises(UserError, match="moved or deleted during the run: put it back") as told:
        search(work)
    assert str(tmp_path / "r1") in str(told.value)
    assert not (tmp_path / "r1").exists()


def test_a_file_that_may_not_be_written_is_named_and_no_talk_of_space(search, tmp_path):
    protected = str(tmp_path / "r1" / "checkpoints" / "t0001" / "last.pt")

    def work(conductor):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), protected)

    with pytest.raises(UserError, match="Permission denied") as told:
        search(work)
    assert f"cannot write {protected}" in str(told.value)
    assert "MB are free" not in str(told.value)


def test_a_search_that_cannot_begin_releases_the_run(tmp_path):
    searched = space()
    store = store_at(tmp_path / "r1", searched)
    (tmp_path / "r1" / "trials.parquet").mkdir()
    with pytest.raises(IsADirectoryError):
        run_search(searched, store, str(tmp_path), RayOptions(), Silent())
    (tmp_path / "r1" / "trials.parquet").rmdir()
    with contextlib.closing(RunStore(store.folder)):
        pass
