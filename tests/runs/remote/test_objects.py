"""A remote folder: the same on a local file system and on a real S3 server."""

import pytest

from tune_robust.errors import UserError
from tune_robust.runs.remote.objects import Remote


@pytest.fixture(params=["file", "s3"])
def remote(request, tmp_path):
    if request.param == "file":
        return Remote(f"file://{tmp_path}/runs/r1")
    return Remote(f"{request.getfixturevalue('bucket')}/runs/r1")


def test_what_is_written_is_read_listed_and_deleted(remote):
    assert remote.read("a") is None
    assert remote.names() == []
    remote.write("a", b"1")
    remote.write("b/c", b"22")
    remote.write("a", b"333")
    assert (remote.read("a"), remote.read("b/c")) == (b"333", b"22")
    assert remote.names() == ["a", "b/c"]
    remote.delete("b")
    remote.delete("never there")
    assert remote.names() == ["a"]


def test_files_go_over_and_come_back(remote, tmp_path):
    (tmp_path / "here").write_bytes(b"x" * 20_000_000)
    remote.store(tmp_path / "here", "there")
    remote.copy("there", "copy")
    assert remote.fetch("copy", tmp_path / "new" / "back")
    assert (tmp_path / "new" / "back").read_bytes() == b"x" * 20_000_000
    assert not remote.fetch("nothing", tmp_path / "nothing")


def test_folders_are_told_by_what_they_hold(remote):
    for name in ("r2", "r3"):
        remote.child(name).write("run.json", b"{}")
    remote.child("other").write("notes", b"")
    assert remote.folders("run.json") == ["r2", "r3"]


def test_a_strange_uri_is_refused_with_what_would_do():
    with pytest.raises(UserError, match="s3://BUCKET/FOLDER"):
        Remote("ftp://example/runs")


def test_a_server_that_does_not_answer_is_explained(monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anyone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    gone = Remote("s3://runs/r1?scheme=http&endpoint_override=127.0.0.1:9")
    with pytest.raises(UserError, match=r"could not be read.*credentials"):
        gone.read("run.json")


def test_an_object_that_is_replaced_while_it_is_read_is_read_again(remote, monkeypatch):
    remote.write("a", b"old and long")
    system = remote._system

    class Replacing:
        """Puts a shorter object in place at the first reading."""

        def __init__(self):
            self.left = 1

        def __getattr__(self, name):
            return getattr(system, name)

        def open_input_stream(self, path):
            stream = system.open_input_stream(path)
            if self.left:
                self.left -= 1
                remote._system = system
                remote.write("a", b"new")
                remote._system = self
            return stream

    remote._system = Replacing()
    assert remote.read("a") == b"new"


@pytest.mark.parametrize(
    "uri",
    [
        "s3://AKIAX:hunter2@bucket/runs",
        "s3://bucket/runs?secret_key=hunter2&region=eu",
        "s3://bucket/runs?AWS_SESSION_TOKEN=hunter2",
        "abfs://runs@account.dfs.core.windows.net/x?account_key=hunter2",
        "https://account.blob.core.windows.net/runs?sv=1&sig=hunter2",
    ],
)
def test_a_secret_in_a_uri_is_refused_and_not_repeated(uri):
    with pytest.raises(UserError, match="environment variables") as raised:
        Remote(uri)
    assert "hunter2" not in str(raised.value)
    assert "AKIAX" not in str(raised.value)
