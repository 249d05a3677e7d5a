"""All runs in a storage at a glance, on this machine and in a bucket."""

import shutil
import socket

import pytest

from tests.tuning.simulated import peak, simulate, space, store_at
from tune_robust.cli.status import status
from tune_robust.errors import UserError
from tune_robust.files import is_uri
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.listing import list_runs
from tune_robust.runs.progress import SearchProgress
from tune_robust.runs.provenance import owner
from tune_robust.runs.reader import read_trials
from tune_robust.runs.remote.lease import Lease
from tune_robust.runs.remote.local_copy import LocalCopy
from tune_robust.runs.remote.objects import Remote
from tune_robust.runs.store import RunStore
from tune_robust.spaces.space import Space


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """A finished run, an interrupted one, one without trials and a damaged one."""
    path = tmp_path_factory.mktemp("runs")
    simulate(space(), path / "finished", peak)
    lowest = space(objective={"metric": "val_loss", "mode": "min"})
    simulate(lowest, path / "interrupted", peak, stop_after=20)
    store = store_at(path / "interrupted", lowest)
    store.upkeep(lowest).write()
    store.close()
    RunStore.create(RunFolder(path / "new"), {"space": space().document()}).close()
    shutil.copytree(path / "new", path / "damaged")
    (path / "damaged" / "run.json").write_text("{")
    return path


@pytest.fixture(params=["local", "s3"])
def storage(request, local):
    if request.param == "local":
        return str(local)
    remote = Remote(f"{request.getfixturevalue('bucket')}/runs")
    for folder in local.iterdir():
        LocalCopy(folder, remote.child(folder.name)).upload_run(closing=True)
    return remote.uri


def by_name(storage):
    return {run.name: run for run in list_runs(storage)}


def test_each_run_has_its_state_best_score_and_owner(storage, local):
    runs = by_name(storage)
    assert {name: run.state for name, run in runs.items()} == {
        "finished": "finished",
        "interrupted": "interrupted",
        "new": "interrupted",
        "damaged": "unreadable",
    }
    assert "run.json is damaged" in runs["damaged"].problem
    for name in ("finished", "interrupted"):
        folder = RunFolder(local / name)
        searched = Space.from_document(folder.read_meta()["space"])
        progress = SearchProgress(searched, read_trials(folder))
        run = runs[name]
        assert (run.ended, run.total) == (progress.ended, progress.total)
        assert run.best == progress.objective.value(progress.best.epochs)
        assert run.metric == progress.objective.metric
    assert (runs["new"].ended, runs["new"].best) == (0, None)
    assert runs["new"].owner == owner()
    assert owner().endswith(f"@{socket.gethostname()}")


def test_a_run_that_a_process_has_open_is_running(storage, local):
    if is_uri(storage):
        lease = Lease(Remote(storage).child("new"))
        assert by_name(storage)["new"].state == "running"
        lease.release()
    else:
        store = RunStore(RunFolder(local / "new"))
        assert by_name(storage)["new"].state == "running"
        store.close()
    assert by_name(storage)["new"].state == "interrupted"


def test_status_without_a_run_lists_them(local, capsys, tmp_path):
    def shown(**options):
        status(**{"run": None, "storage": str(local), **options})
        return capsys.readouterr().out

    table = shown()
    assert all(name in table for name in ("finished", "12/12", "unreadable", owner()))
    assert "damaged: " in table
    assert '"state": "finished"' in shown(as_json=True)
    assert f"There are no runs in {tmp_path}." in shown(storage=str(tmp_path))
    with pytest.raises(UserError, match="name it"):
        shown(follow=True)


def test_a_user_without_a_name_has_a_number(monkeypatch):
    def unknown():
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert owner().partition("@")[0].isdecimal()
