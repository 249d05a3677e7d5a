"""A local folder uploaded to a remote one while it is written, and back."""

import time
from pathlib import Path

import pytest

from tests.tuning.simulated import space, store_at
from tune_robust.runs.reader import RunReader, read_record
from tune_robust.runs.remote import mirror as module
from tune_robust.runs.remote.lease import Lease, TakenOver, is_held
from tune_robust.runs.remote.local_copy import LocalCopy
from tune_robust.runs.remote.mirror import Mirror
from tune_robust.runs.remote.objects import Remote
from tune_robust.runs.remote.run import RemoteRunFolder
from tune_robust.runs.remote.segments import RemoteLog
from tune_robust.runs.store import RunStore


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "here"
    path.mkdir()
    return path


@pytest.fixture
def remote(tmp_path):
    return Remote(f"file://{tmp_path}/there/r1")


def log_at(remote):
    return RemoteLog(Path(), remote).read()


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_changes_goes_over_and_the_rest_stays(folder, remote):
    (folder / "events.jsonl").write_bytes(b"1\n")
    for inside in ("checkpoints", "wandb"):
        (folder / inside).mkdir()
        (folder / inside / "last.pt").write_bytes(b"")
    (folder / ".aside").write_bytes(b"")
    mirror = Mirror(LocalCopy(folder, remote))
    mirror.upload_soon()
    until(lambda: log_at(remote) == b"1\n")
    assert is_held(remote)
    with (folder / "events.jsonl").open("ab") as file:
        file.write(b"2\n")
    mirror.close()
    assert log_at(remote) == b"1\n2\n"
    assert len(remote.names()) == 2


def taken_over(folder, remote, monkeypatch):
    """A mirror of a log with one line, whose run another machine has taken since."""
    mirror = Mirror(LocalCopy(folder, remote))
    monkeypatch.setattr("socket.gethostname", lambda: "another-machine")
    remote.delete("run.lease")
    Lease(remote)
    (folder / "events.jsonl").write_bytes(b"mine\n")
    return mirror


def test_another_writer_ends_it(folder, remote, monkeypatch):
    monkeypatch.setattr(module, "RENEWED_EVERY", 0.0)
    monkeypatch.setattr(module, "EVERY", 0.01)
    mirror = taken_over(folder, remote, monkeypatch)

    def taken():
        try:
            mirror.upload_soon()
        except TakenOver:
            return True
        return False

    until(taken)
    with pytest.raises(TakenOver):
        mirror.close()
    assert log_at(remote) == b""


def test_a_run_that_was_taken_over_is_not_written_when_closing(folder, remote, monkeypatch):
    monkeypatch.setattr(module, "EVERY", 3600)
    mirror = taken_over(folder, remote, monkeypatch)
    with pytest.raises(TakenOver):
        mirror.close()
    assert log_at(remote) == b""


class Watched(Remote):
    """Calls ``before`` ahead of every object that is read or sent, and ``after`` behind it."""

    def __init__(self, uri, before=lambda: None, after=lambda: None):
        super().__init__(uri)
        self._before, self._after = before, after

    def send(self, file, name):
        self._before()
        super().send(file, name)
        self._after()

    def write(self, name, data):
        self._before()
        super().write(name, data)
        self._after()

    def read(self, name):
        self._before()
        return super().read(name)


@pytest.fixture
def search(folder):
    """One more epoch of a search that goes on in ``folder``; the tables have it at once."""
    searched = space(train={"data": {"dataset": "digits"}, "method": "saner", "epochs": 1000})
    store = store_at(folder, searched)
    config = searched.config_for({}).model_dump(mode="json")
    trial, upkeep = store.add_trial("sampled", {}, config), store.upkeep(searched)

    def go_on():
        epoch = max(trial.epochs, default=0) + 1
        store.add_epoch(trial.name, epoch, {"val_accuracy": 0.5, "gradient_evaluations": epoch})
        upkeep.write()

    yield go_on
    store.close()


def read_there(remote, path):
    """The run as another machine finds it: the epochs that its log has."""
    there = RemoteRunFolder(Remote(remote.uri), path)
    if not there.exists():
        return 0
    record = read_record(there.download())
    return max((max(t.epochs, default=0) for t in record.trials.values()), default=0)


def test_killed_at_any_moment_an_upload_leaves_no_tables_ahead_of_the_log(
    folder, remote, search, tmp_path
):
    seen = []

    def look():
        seen.append(read_there(remote, tmp_path / f"copy{len(seen)}"))

    watched = Watched(remote.uri, before=search, after=look)
    search()
    copy = LocalCopy(folder, watched)
    for _ in range(3):
        copy.upload_run()
    assert len(seen) == 1 + 3 * 3  # run.json, then each time the log and two tables
    assert seen[-1] == 8  # as many as were recorded when the last upload read the log


def test_a_run_that_is_uploaded_while_it_is_read_is_read_whole(folder, remote, search, tmp_path):
    search()
    copy = LocalCopy(folder, remote)

    def goes_on():
        search()
        copy.upload_run()

    goes_on()
    there = RemoteRunFolder(Watched(remote.uri, before=goes_on), tmp_path / "copy")
    there.download()
    assert read_record(there).trials["t0001"].epochs


def test_the_tables_of_a_large_run_go_over_rarely_and_at_the_end(folder, remote, monkeypatch):
    monkeypatch.setattr("tune_robust.runs.remote.local_copy._TABLES_FREE", 0)
    copy = LocalCopy(folder, remote)
    events, table = folder / "events.jsonl", folder / "epochs.parquet"
    sent = 0
    for number in range(300):
        with events.open("ab") as file:
            file.write(b"x" * 99 + b"\n")
        table.write_bytes(b"%04d" % number * 25)
        before = remote.read("epochs.parquet")
        copy.upload_run()
        sent += remote.read("epochs.parquet") != before
    assert 12 <= sent <= 15, "5 % of the bytes"
    copy.upload_run(closing=True)
    assert remote.read("epochs.parquet") == b"0299" * 25


def test_a_log_of_tensorboard_goes_over_when_it_has_doubled_and_at_the_end(folder, remote):
    log = folder / "tensorboard" / "t0001" / "events"
    log.parent.mkdir(parents=True)
    copy, sent = LocalCopy(folder, remote), []
    for epoch in range(1, 10):
        log.write_bytes(bytes(epoch))
        copy.upload_run(closing=epoch == 9)
        remote.fetch("tensorboard/t0001/events", folder.parent / "seen")
        sent.append((folder.parent / "seen").stat().st_size)
    assert sent == [1, 2, 2, 4, 4, 4, 4, 8, 9]


def test_a_run_of_an_earlier_version_goes_on_in_a_bucket(bucket, tmp_path):
    """Its log is one object; what follows goes over in segments."""
    searched = space(budget={"trials": 2, "scheduler": "none"})
    old = store_at(tmp_path / "old", searched)
    config = searched.config_for({}).model_dump(mode="json")
    trial = old.add_trial("sampled", {}, config).name
    old.add_epoch(trial, 1, {"val_accuracy": 0.5, "gradient_evaluations": 1.0})
    old.close()
    remote = Remote(f"{bucket}/runs/r1")
    for name in ("run.json", "events.jsonl"):
        remote.store(tmp_path / "old" / name, name)
    assert read_there(remote, tmp_path / "reader") == 1

    store = RunStore(RemoteRunFolder(remote, tmp_path / "one").download())
    store.add_epoch(trial, 2, {"val_accuracy": 0.6, "gradient_evaluations": 2.0})
    store.close()
    assert read_there(remote, tmp_path / "reader") == 2
    store = RunStore(RemoteRunFolder(remote, tmp_path / "another").download())
    assert list(store.trials[trial].epochs) == [1, 2]
    store.close()


def test_a_reader_on_another_machine_follows_a_search(remote, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "EVERY", 3600)  # uploaded by the test
    searched = space()
    config = searched.config_for({}).model_dump(mode="json")
    writing = RemoteRunFolder(remote, tmp_path / "here")
    writing.make()
    store = RunStore.create(writing, {"space": searched.document()})
    trial = store.add_trial("sampled", {}, config).name
    copy = LocalCopy(writing.path, remote)
    copy.upload_run()
    reader = RunReader(RemoteRunFolder(Remote(remote.uri), tmp_path / "there").download())
    for epoch in range(1, 4):
        store.add_epoch(trial, epoch, {"val_accuracy": 0.5, "gradient_evaluations": 1.0})
        copy.upload_run()
        assert reader.read(), "the search is live"
        assert list(reader.record.trials[trial].epochs) == [*range(1, epoch + 1)]
    store.close()
    assert not reader.read()


def test_an_object_whose_name_leads_out_of_the_run_is_left_where_it_is(folder, remote, monkeypatch):
    remote.write("run.json", b"{}")
    monkeypatch.setattr(remote, "names", lambda: ["../outside.txt", "run.json"])
    remote.parent.write("outside.txt", b"not yours")
    LocalCopy(folder, remote).download()
    assert not (folder.parent / "outside.txt").exists()
    assert (folder / "run.json").exists()


def test_events_that_never_got_over_are_kept(folder, remote):
    remote.write("events.jsonl", b"1\n2\n")
    remote.write("run.json", b"{}")
    remote.write("exported/1.yaml", b"a: 1\n")
    (folder / "events.jsonl").write_bytes(b"1\n2\n3\n")
    LocalCopy(folder, remote).download()
    assert (folder / "events.jsonl").read_bytes() == b"1\n2\n3\n"
    assert (folder / "exported" / "1.yaml").read_bytes() == b"a: 1\n"
    (folder / "events.jsonl").write_bytes(b"another history, and a longer one\n")
    LocalCopy(folder, remote).download()
    assert (folder / "events.jsonl").read_bytes() == b"1\n2\n"
