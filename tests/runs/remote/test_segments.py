"""The event log goes over in segments: every line once, whoever is killed when."""

import random
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tune_robust.runs.remote.objects import Remote
from tune_robust.runs.remote.segments import RemoteLog, Segment, log_of


class Counting(Remote):
    """Counts the bytes that are written, and may fail instead of doing anything."""

    sent = 0
    fails = frozenset()

    def write(self, name, data):
        self._check("write")
        self.sent += len(data)
        super().write(name, data)

    def delete(self, name):
        self._check("delete")
        super().delete(name)

    def _check(self, what):
        if what in self.fails:
            raise ConnectionError(what)


@pytest.fixture
def remote(tmp_path):
    return Counting(f"file://{tmp_path}/there/r1")


@pytest.fixture
def here(tmp_path):
    path = tmp_path / "here"
    path.mkdir()
    return path


def append(folder, lines):
    with (folder / "events.jsonl").open("ab") as file:
        file.write(lines)


def lines(numbers):
    return b"".join(b"line %06d\n" % number for number in numbers)


def content(remote):
    return RemoteLog(Path(), remote).read()


def test_every_line_goes_over_once(here, remote):
    log, written = RemoteLog(here, remote), b""
    draw = random.Random(0)
    for number in range(300):
        new = lines(range(draw.randrange(20)))
        append(here, new)
        written += new
        assert log.upload() == len(new)
        if number % 50 == 0:
            assert content(remote) == written
    assert remote.sent == len(written)
    assert content(remote) == written


def test_a_line_that_is_still_being_written_stays_until_it_is_complete(here, remote):
    log = RemoteLog(here, remote)
    append(here, b"whole\nhal")
    log.upload()
    assert content(remote) == b"whole\n"
    append(here, b"f\n")
    log.upload()
    assert content(remote) == b"whole\nhalf\n"


def test_an_upload_that_failed_is_made_up_for(here, remote):
    log = RemoteLog(here, remote)
    append(here, b"1\n")
    log.upload()
    append(here, b"2\n")
    remote.fails = {"write"}
    with pytest.raises(ConnectionError):
        log.upload()
    assert content(remote) == b"1\n"
    remote.fails = frozenset()
    append(here, b"3\n")
    log.upload()
    assert content(remote) == b"1\n2\n3\n"


@pytest.mark.parametrize("fails", [set(), {"delete"}])
def test_the_next_process_goes_on_from_the_log_of_an_earlier_version(here, remote, fails):
    remote.write("events.jsonl", b"1\n2\n")
    assert content(remote) == b"1\n2\n"
    log = RemoteLog(here, remote)
    log.download()
    append(here, b"3\n")
    remote.fails = fails
    if fails:
        with pytest.raises(ConnectionError):
            log.upload()
    else:
        log.upload()
        assert not remote.has("events.jsonl")
    assert content(remote) == b"1\n2\n3\n"
    append(here, b"4\n")
    log.upload()
    assert content(remote) == b"1\n2\n3\n4\n"


def test_what_a_writer_sends_that_has_lost_the_run_is_ignored(here, remote, tmp_path):
    lost = RemoteLog(here, remote)
    append(here, b"1\n")
    lost.upload()
    other = tmp_path / "other"
    log = RemoteLog(other, remote)
    log.download()
    append(other, b"2\n")
    log.upload()
    assert len(remote.names()) == 1, "one segment has everything, and the old ones are deleted"
    append(here, b"mine\n")
    lost.upload()
    assert content(remote) == b"1\n2\n"
    append(other, b"3\n")
    log.upload()
    assert content(remote) == b"1\n2\n3\n"


@pytest.mark.parametrize("new", [b"0\n", b"0\n1\n2\n3\n4\n"])
def test_a_log_that_recovery_replaced_goes_over_whole(here, remote, new):
    log = RemoteLog(here, remote)
    append(here, b"1\n2\n")
    log.upload()
    (here / "new").write_bytes(new)
    (here / "new").replace(here / "events.jsonl")
    log.upload()
    assert content(remote) == new


def test_only_what_is_missing_is_read(here, remote, tmp_path, monkeypatch):
    log = RemoteLog(here, remote)
    follower = RemoteLog(tmp_path / "follower", remote)
    read = []
    original = remote.read_constant
    monkeypatch.setattr(remote, "read_constant", lambda name: read.append(name) or original(name))
    for number in range(5):
        append(here, lines([number]))
        log.upload()
        follower.download()
    assert len(read) == 5
    assert (tmp_path / "follower" / "events.jsonl").read_bytes() == lines(range(5))


def test_a_copy_that_is_ahead_stays_and_another_history_goes(here, remote, tmp_path):
    log = RemoteLog(here, remote)
    for number in range(3):
        append(here, lines([number]))
        log.upload()
    other = tmp_path / "other"
    other.mkdir()
    for local, left in [
        (lines(range(4)), lines(range(4))),
        (lines([0, 7, 2, 3]), lines(range(3))),
        (lines(range(2)) + b"lin", lines(range(3))),
    ]:
        (other / "events.jsonl").write_bytes(local)
        RemoteLog(other, remote).download()
        assert (other / "events.jsonl").read_bytes() == left


def test_a_log_that_is_replaced_while_it_is_read_is_read_again(here, remote, monkeypatch):
    append(here, b"1\n")
    RemoteLog(here, remote).upload()
    original, left = remote.read_constant, [1]

    def read(name):
        if left:
            left.pop()
            append(here, b"2\n")
            RemoteLog(here, remote).upload()
        return original(name)

    monkeypatch.setattr(remote, "read_constant", read)
    assert content(remote) == b"1\n2\n"


def test_a_name_says_which_log_it_belongs_to():
    name = Segment(3, 0, 10, zlib.crc32(b"")).name
    assert name == "events/000003/000000000000000-000000000000010-00000000.jsonl"
    assert (log_of(name), log_of(f"confirm/{name}"), log_of("events.jsonl")) == ("", "confirm", "")
    assert [log_of(other) for other in ("run.json", "events/notes", f"{name}.aside")] == [None] * 3


class Machine:
    """A folder, its log, and the bytes of which an upload was reported to have succeeded."""

    def __init__(self, folder, remote):
        folder.mkdir()
        self.events, self.log = folder / "events.jsonl", RemoteLog(folder, remote)
        self.log.download()
        self.log = RemoteLog(folder, remote)
        self.acknowledged = self.local

    @property
    def begun(self):
        """Whether it has a generation; the lease stops a process that is lost without one."""
        return bool(self.acknowledged)

    @property
    def local(self):
        return self.events.read_bytes() if self.events.exists() else b""

    def upload(self):
        self.log.upload()
        self.acknowledged = self.local


@settings(max_examples=50)
@given(
    steps=st.lists(
        st.sampled_from(["append", "upload", "no write", "no delete", "resume", "lost"]),
        max_size=25,
    )
)
def test_whatever_happens_the_remote_log_has_what_was_acknowledged(tmp_path_factory, steps):
    """Uploads fail, the run goes on elsewhere, and the process that lost it does not stop."""
    root = tmp_path_factory.mktemp("runs")
    remote = Counting(f"file://{root}/there/r1")
    writer, lost = Machine(root / "start", remote), None
    for number, step in enumerate(steps):
        if step == "append":
            append(writer.events.parent, b"%d\n" % number)
        elif step == "resume":
            lost, writer = writer, Machine(root / str(number), remote)
            writer.log.upload()  # as a search does before anything else
        elif step == "lost" and lost is not None and lost.begun and writer.begun:
            append(lost.events.parent, b"lost\n")
            lost.upload()
        elif step in ("upload", "no write", "no delete"):
            remote.fails = {step.removeprefix("no ")}
            with suppress(ConnectionError):
                writer.upload()
            remote.fails = frozenset()
        found = content(remote)
        assert found.startswith(writer.acknowledged)
        assert writer.local.startswith(found)
