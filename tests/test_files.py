"""Files are whole or as they were, also after a power cut."""

import os

import pytest

from tune_robust.files import is_aside, lies_in, link_aside, write_aside


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "table"
    write_aside(path, b"old")

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space") as raised:
        write_aside(path, b"new")
    assert raised.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def calls(monkeypatch):
    """What reaches the disk, in order: (call, name of the file or folder)."""
    seen, fsync, replace = [], os.fsync, os.replace

    def name(descriptor):
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        return "aside" if path.endswith(".aside") else os.path.basename(path)

    def recorded_fsync(descriptor):
        seen.append(("fsync", name(descriptor), os.fstat(descriptor).st_size))
        fsync(descriptor)

    def recorded_replace(source, target):
        seen.append(("replace", os.path.basename(target), None))
        replace(source, target)

    monkeypatch.setattr("os.fsync", recorded_fsync)
    monkeypatch.setattr("os.replace", recorded_replace)
    return seen


def test_file_and_folder_are_on_disk_before_a_write_returns(tmp_path, calls):
    folder = tmp_path / "run"
    folder.mkdir()
    write_aside(folder / "run.json", b"12345")
    assert calls[:2] == [("fsync", "aside", 5), ("replace", "run.json", None)]
    assert calls[2][:2] == ("fsync", "run")
    assert len(calls) == 3


def test_what_can_be_fetched_again_does_not_wait_for_the_disk(tmp_path, calls):
    write_aside(tmp_path / "copy", b"12345", durable=False)
    assert calls == [("replace", "copy", None)]


def test_temporary_names_cannot_be_guessed_and_links_are_not_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    monkeypatch.setattr("secrets.token_hex", lambda n: "0")
    (tmp_path / ".table.0.aside").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_aside(tmp_path / "table", b"new")
    assert victim.read_bytes() == b"mine"
    monkeypatch.undo()
    seen = set()
    monkeypatch.setattr("os.replace", lambda source, target: seen.add(source))
    for _ in range(2):
        write_aside(tmp_path / "table", b"new")
    assert len(seen) == 2
    assert all(is_aside(path) for path in seen)


def test_a_link_takes_the_place_of_the_old_file(tmp_path):
    for name in ("last", "best"):
        (tmp_path / name).write_text(name)
    link_aside(tmp_path / "last", tmp_path / "best")
    assert (tmp_path / "best").read_text() == "last"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best", "last"]


def test_what_a_link_leads_out_of_a_folder_does_not_lie_in_it(tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    (run / "inside").mkdir(parents=True)
    other.mkdir()
    (run / "link").symlink_to(other)
    assert lies_in(run / "inside", run)
    assert not any(lies_in(p, run) for p in (run / "link", run / "link" / "x", run, run / "../x"))
