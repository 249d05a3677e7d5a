"""The run store: what is written is read back, whatever happened in between."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tune_robust.errors import UserError
from tune_robust.runs.find import find_run, new_run
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials
from tune_robust.runs.remote.objects import Remote
from tune_robust.runs.remote.run import RemoteRunFolder
from tune_robust.runs.store import RunStore

CONFIG = {"epochs": 3, "seed": 0}


@pytest.fixture
def folder(tmp_path):
    return new_run(str(tmp_path), "r1")


@pytest.fixture
def store(folder):
    store = RunStore.create(folder, {"space": {}})
    yield store
    store.close()


def reopened(store):
    store.close()
    return RunStore(store.folder)


def test_trials_and_epochs_survive_closing(store):
    store.add_trial("sampled", {"sam.rho": 0.1}, CONFIG)
    store.start("t0001")
    store.add_epoch("t0001", 1, {"val_accuracy": 0.5})
    store.end("t0001", "stopped")
    again = reopened(store)
    assert again.trials == store.trials
    assert list(again.history) == [("t0001", 1)]
    again.close()


def test_trials_are_numbered_in_order(store):
    names = [store.add_trial("sampled", {}, CONFIG).name for _ in range(3)]
    assert names == ["t0001", "t0002", "t0003"]
    assert store.trials["t0003"].number == 2


def test_an_epoch_recorded_twice_is_one_epoch(store):
    store.add_trial("sampled", {}, CONFIG)
    store.add_epoch("t0001", 1, {"val_accuracy": 0.5})
    store.add_epoch("t0001", 1, {"val_accuracy": 0.5})
    assert list(store.trials["t0001"].epochs) == [1]
    assert list(store.history) == [("t0001", 1)]


def test_what_is_not_finite_is_stored_as_missing(store):
    store.add_trial("sampled", {}, CONFIG)
    store.add_epoch("t0001", 1, {"val_accuracy": float("nan"), "rho": float("inf"), "lr": 0.1})
    assert store.trials["t0001"].epochs[1] == {"val_accuracy": None, "rho": None, "lr": 0.1}
    assert all(json.loads(line) for line in store.folder.events.read_text().splitlines())


def test_a_line_torn_by_a_crash_is_dropped(store):
    store.add_trial("sampled", {}, CONFIG)
    store.close()
    with store.folder.events.open("ab") as handle:
        handle.write(b'{"event": "epoch", "trial": "t00')
    assert list(read_trials(store.folder)) == ["t0001"]
    again = RunStore(store.folder)
    again.add_trial("sampled", {}, CONFIG)
    again.close()
    assert list(read_trials(store.folder)) == ["t0001", "t0002"]


def test_a_damaged_line_is_named(store):
    store.add_trial("sampled", {}, CONFIG)
    store.close()
    store.folder.events.write_bytes(b"nonsense\n" + store.folder.events.read_bytes())
    with pytest.raises(UserError, match="line 1: it has no checksum"):
        read_trials(store.folder)


def test_a_trial_left_running_is_interrupted_once_nobody_writes(store):
    store.add_trial("sampled", {}, CONFIG)
    store.start("t0001")
    assert read_trials(store.folder)["t0001"].status == "running"
    store.close()
    assert read_trials(store.folder)["t0001"].status == "interrupted"


def test_a_second_writer_is_refused_and_the_lock_dies_with_its_process(store):
    code = (
        "import sys; from pathlib import Path\n"
        "from tune_robust.errors import UserError\n"
        "from tune_robust.runs.folder import RunFolder\n"
        "from tune_robust.runs.store import RunStore\n"
        "try: RunStore(RunFolder(Path(sys.argv[1])))\n"
        "except UserError as error: print(error)\n"
        "else: print('opened')\n"
    )
    command = [sys.executable, "-c", code, str(store.folder.path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "another process is working on the run 'r1'" in run.stdout
    store.close()
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "opened\n"
    RunStore(store.folder).close()


def test_retrying_forgets_the_epochs_but_not_the_trial(store):
    store.add_trial("sampled", {"sam.rho": 1.0}, CONFIG)
    store.add_epoch("t0001", 1, {"val_accuracy": 0.5})
    store.end("t0001", "failed", "val_loss is not finite")
    store.retry("t0001")
    again = reopened(store)
    trial = again.trials["t0001"]
    assert (trial.status, trial.epochs, trial.values) == ("pending", {}, {"sam.rho": 1.0})
    assert not again.history
    again.close()


@pytest.mark.parametrize("name", ["../r2", "a/b", "", ".hidden", "/etc", "a b", "a\n"])
def test_a_name_that_could_leave_the_storage_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="--name"):
        new_run(str(tmp_path), name)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_run_is_not_overwritten(tmp_path, store):
    with pytest.raises(UserError, match="already a run 'r1'"):
        new_run(str(tmp_path), "r1")


def test_a_run_is_found_by_name_or_path_and_the_nearest_is_named(tmp_path, store):
    assert find_run("r1", str(tmp_path)).path == tmp_path / "r1"
    assert find_run(str(tmp_path / "r1"), "elsewhere").path == tmp_path / "r1"
    with pytest.raises(UserError, match="Did you mean 'r1'"):
        find_run("r11", str(tmp_path))
    with pytest.raises(UserError, match="no runs there"):
        find_run("r1", str(tmp_path / "none"))


def test_a_storage_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot create"):
        new_run(str(tmp_path / "file"), "r1")


def test_a_storage_that_goes_with_a_ray_job_is_refused(tmp_path, monkeypatch):
    copy = tmp_path / "runtime_resources" / "working_dir_files" / "_ray_pkg_0"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    with pytest.raises(UserError, match="deleted after the job"):
        new_run("./runs", "r1")
    new_run(str(tmp_path / "runs"), "r1")


def test_a_folder_without_a_lock_is_not_live(tmp_path):
    assert not RunFolder(tmp_path).is_live()


def test_a_full_disk_leaves_no_half_a_line(store, monkeypatch):
    store.add_trial("sampled", {}, CONFIG)

    class Full:
        """Takes a few bytes, then nothing."""

        def __init__(self, file):
            self._file, self._room = file, 7

        def write(self, data):
            if not self._room:
                raise OSError(errno.ENOSPC, "No space left on device")
            taken, self._room = self._room, 0
            return self._file.write(data[:taken])

        def __getattr__(self, name):
            return getattr(self._file, name)

    before = store.folder.events.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(store._log, "_file", Full(store._log._file))
        with pytest.raises(OSError, match="No space left"):
            store.start("t0001")
    assert store.folder.events.read_bytes() == before
    assert store.trials["t0001"].status == "pending"
    store.start("t0001")
    again = reopened(store)
    assert again.trials["t0001"].status == "interrupted"
    again.close()


def test_what_was_being_written_when_a_process_was_killed_is_removed(store):
    checkpoints = Path(store.folder.checkpoints("t0001"))
    checkpoints.mkdir(parents=True)
    asides = [store.folder.path / ".trials.parquet.4711"]
    asides.append(checkpoints / ".last.pt.4711")
    predictions = Path(store.folder.predictions) / "t0001"
    predictions.mkdir(parents=True)
    asides.append(predictions / ".last.npz.4711")
    for path in asides:
        path.write_bytes(b"half")
    reopened(store).close()
    assert not any(path.exists() for path in asides)


@pytest.mark.parametrize("remote", [False, True])
def test_checkpoints_of_trials_whose_events_were_lost_are_dropped(tmp_path, remote):
    path = tmp_path / "run"
    folder = RunFolder(path)
    if remote:
        folder = RemoteRunFolder(Remote(f"file://{path}"), tmp_path / "here")
    store = RunStore.create(folder, {"space": {}})
    store.add_trial("sampled", {}, CONFIG)
    for name in ("t0001", "t0002"):
        (path / "checkpoints" / name).mkdir(parents=True)
        (path / "checkpoints" / name / "last.pt").write_bytes(b"")
    reopened(store).close()
    assert [p.name for p in (path / "checkpoints").iterdir()] == ["t0001"]


def test_a_run_that_cannot_be_created_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RunFolder, "write_meta", full)
    with pytest.raises(UserError, match=r"No space left on device.*--storage"):
        RunStore.create(new_run(str(tmp_path), "r1"), {})
    assert [*tmp_path.iterdir()] == []


def test_checkpoints_behind_a_link_are_used_and_never_deleted(tmp_path, store):
    """As when somebody has moved them to a larger disk."""
    elsewhere = tmp_path / "larger"
    for name in ("t0001", "t0002", "photos"):
        (elsewhere / name).mkdir(parents=True)
        (elsewhere / name / "last.pt").write_bytes(b"x")
    (store.folder.path / "checkpoints").symlink_to(elsewhere)
    store.add_trial("sampled", {}, CONFIG)
    again = reopened(store)
    assert again.folder.has_checkpoint("t0001")
    again.folder.drop_checkpoints("t0001")
    again.close()
    assert sorted(p.parent.name for p in elsewhere.rglob("last.pt")) == ["photos", "t0001", "t0002"]


@pytest.mark.parametrize("what", ["checkpoints", "predictions"])
def test_nothing_outside_the_run_is_deleted_by_any_name_or_link(tmp_path, store, what):
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    inside = store.folder.path / what
    inside.mkdir()
    (inside / "t0007").symlink_to(outside)
    (inside / "notes").mkdir()
    drop = getattr(store.folder, f"drop_{what}")
    for name in (str(outside), "../../outside", "t0007", ".", "..", "", "t1/../../../outside"):
        drop(name)
    reopened(store).close()
    assert (outside / "inner").exists()
    assert (inside / "notes").exists()


def test_a_damaged_run_json_is_named(store):
    store.close()
    whole = store.folder.meta.read_text()
    for damaged, says in (
        (whole[:40], "restore it from a copy"),
        (whole.replace('"name": "r1"', '"name": "r2"'), "checksum differs.*delete the entry"),
        ("[]", "expected an object"),
        ("[" * 100_000, "recursion"),
        ('{"format": 1, "name": "r1"}', "space: is required"),
        ('{"format": 1, "name": "r1", "space": {"format": []}}', "space.format: "),
        ('{"format": 1, "name": "r1", "space": {"budget": {"trials": [9]}}}', "space.budget"),
        ('{"format": 7, "name": "r1", "space": {}}', "reads 1. Install"),
        ('{"format": "1", "name": "r1", "space": {}}', "format: "),
    ):
        store.folder.meta.write_text(damaged)
        with pytest.raises(UserError, match=rf"(?s)run.json (is damaged|cannot be used): .*{says}"):
            RunStore(store.folder)
    store.folder.meta.write_bytes(b"\xff\xfe" + whole.encode("utf-16-le"))
    with pytest.raises(UserError, match="is damaged"):
        store.folder.read_meta()


def test_run_json_may_have_a_byte_order_mark_be_edited_on_purpose_and_hold_more(store):
    meta = store.folder.read_meta()
    store.folder.meta.write_bytes(b"\xef\xbb\xbf" + store.folder.meta.read_bytes())
    assert store.folder.read_meta() == meta
    store.folder.meta.write_text(json.dumps({**meta, "name": "r2", "newer": [1]}))
    assert store.folder.read_meta() == {**meta, "name": "r2", "newer": [1]}
    store.folder.write_meta(store.folder.read_meta())
    assert store.folder.read_meta()["newer"] == [1]
