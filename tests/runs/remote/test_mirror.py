"""A local folder uploaded to a remote one while it is written, and back."""

import time

import pytest

from tune_robust.runs.remote import mirror as module
from tune_robust.runs.remote.lease import Lease, TakenOver, is_held
from tune_robust.runs.remote.mirror import Mirror, download
from tune_robust.runs.remote.objects import Remote


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "here"
    path.mkdir()
    return path


@pytest.fixture
def remote(tmp_path):
    return Remote(f"file://{tmp_path}/there/r1")


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_changes_goes_over_and_the_rest_stays(folder, remote):
    (folder / "events.jsonl").write_bytes(b"1\n")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.pt").write_bytes(b"")
    (folder / ".aside").write_bytes(b"")
    mirror = Mirror(folder, remote, {})
    mirror.upload_soon()
    until(lambda: remote.read("events.jsonl") == b"1\n")
    assert is_held(remote)
    with (folder / "events.jsonl").open("ab") as file:
        file.write(b"2\n")
    mirror.close()
    assert remote.read("events.jsonl") == b"1\n2\n"
    assert remote.names() == ["events.jsonl"]


def test_another_writer_ends_it(folder, remote, monkeypatch):
    monkeypatch.setattr(module, "RENEWED_EVERY", 0.0)
    monkeypatch.setattr(module, "EVERY", 0.01)
    mirror = Mirror(folder, remote, {})
    monkeypatch.setattr("socket.gethostname", lambda: "another-machine")
    remote.delete("run.lease")
    Lease(remote)
    (folder / "events.jsonl").write_bytes(b"mine\n")

    def taken():
        try:
            mirror.upload_soon()
        except TakenOver:
            return True
        return False

    until(taken)
    with pytest.raises(TakenOver):
        mirror.close()
    assert remote.read("events.jsonl") is None


def test_events_that_never_got_over_are_kept(folder, remote):
    remote.write("events.jsonl", b"1\n2\n")
    remote.write("run.json", b"{}")
    remote.write("exported/1.yaml", b"a: 1\n")
    (folder / "events.jsonl").write_bytes(b"1\n2\n3\n")
    download(remote, folder, {})
    assert (folder / "events.jsonl").read_bytes() == b"1\n2\n3\n"
    assert (folder / "exported" / "1.yaml").read_bytes() == b"a: 1\n"
    (folder / "events.jsonl").write_bytes(b"another history, and a longer one\n")
    download(remote, folder, {})
    assert (folder / "events.jsonl").read_bytes() == b"1\n2\n"
