"""The event log: each line is what was written there, or the log is refused."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_robust.errors import UserError
from tune_robust.runs.find import new_run
from tune_robust.runs.log import EventLog, LogDamaged, LogWriter, parse, sealed, seed_of
from tune_robust.runs.reader import read_record, read_trials
from tune_robust.runs.store import RunStore

CONFIG = {"epochs": 3, "seed": 0}
EVENTS = [
    {"event": "trial", "trial": "t0001", "origin": "sampled", "values": {}, "config": CONFIG},
    {"event": "start", "trial": "t0001"},
    {"event": "epoch", "trial": "t0001", "epoch": 1, "metrics": {"val_accuracy": 0.25}},
    {"event": "epoch", "trial": "t0001", "epoch": 2, "metrics": {"val_accuracy": 0.5}},
    {"event": "end", "trial": "t0001", "status": "stopped", "epoch": 2},
]
ID = "a run"


def written(events, path, run_id=ID):
    writer = LogWriter(path, seed_of(run_id))
    for event in events:
        writer.append(event)
    writer.close()
    return path.read_bytes().splitlines(keepends=True)


def read(path, run_id=ID):
    found = EventLog(path, run_id).new()
    return [{k: v for k, v in event.items() if k != "crc"} for event in found]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


@pytest.fixture
def lines(path):
    return written(EVENTS, path)


def test_what_is_written_is_read(path, lines):
    assert read(path) == EVENTS


def test_every_flipped_bit_is_found(path, lines):
    whole = b"".join(lines)
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            found = read(path)
        except LogDamaged:
            continue
        # A line that ends no more is one that is still being written.
        assert found == EVENTS[: len(found)]
        assert damaged.count(b"\n") < len(EVENTS)


@pytest.mark.parametrize("change", ["removed", "repeated", "exchanged", "of another run"])
def test_a_line_that_does_not_belong_there_is_named(path, lines, change):
    if change == "removed":
        del lines[2]
    elif change == "repeated":
        lines.insert(2, lines[2])
    elif change == "exchanged":
        lines[2], lines[3] = lines[3], lines[2]
    else:
        lines[2] = sealed(EVENTS[2], seed_of("another run"))[0]
    path.write_bytes(b"".join(lines))
    with pytest.raises(LogDamaged, match=r"events.jsonl, line [34]: its checksum differs"):
        read(path)


def test_a_log_of_another_run_is_refused(path, lines):
    with pytest.raises(LogDamaged, match="line 1"):
        [*EventLog(path, "another run").new()]


def test_a_log_of_an_earlier_version_opens_and_what_follows_covers_it(path):
    old = [json.dumps(event).encode() + b"\n" for event in EVENTS]
    path.write_bytes(b"".join(old))
    log = EventLog(path, None)
    assert [*log.new()] == EVENTS
    line = sealed({"event": "retry", "trial": "t0001"}, log.checksum)[0]
    path.write_bytes(b"".join(old) + line)
    assert len(read(path, None)) == len(EVENTS) + 1
    path.write_bytes(b"".join(old).replace(b"0.25", b"0.75") + line)
    with pytest.raises(LogDamaged, match="line 6"):
        read(path, None)
    path.write_bytes(b"".join(old) + line + old[1])
    with pytest.raises(LogDamaged, match="line 7: it has no checksum"):
        read(path, None)


def test_a_log_without_checksums_is_refused_in_a_run_that_has_an_id(path):
    """Which is not of the version that wrote such a log: it may be another run's."""
    path.write_bytes(b"".join(json.dumps(event).encode() + b"\n" for event in EVENTS))
    with pytest.raises(LogDamaged, match="line 1: it has no checksum"):
        read(path)


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({"event": "explode", "trial": "t0001"}, "does not match any of the expected tags"),
        ({"event": "start"}, "trial: Field required"),
        (EVENTS[0] | {"config": {"epochs": 3}}, "seed"),
        (EVENTS[0] | {"config": CONFIG | {"epochs": "3"}}, "epochs"),
        (EVENTS[0] | {"config": CONFIG | {"seed": 10**400}}, "seed"),
        (EVENTS[0] | {"origin": "heaven"}, "origin"),
        (EVENTS[2] | {"epoch": 0}, "epoch"),
        (EVENTS[2] | {"metrics": {}}, "metrics"),
        (EVENTS[2] | {"metrics": {"val_accuracy": "0.5"}}, "metrics.val_accuracy"),
        (EVENTS[2] | {"metrics": {"val_accuracy": 1e308}}, "metrics.val_accuracy"),
        (EVENTS[2] | {"reliability": [[1.0]]}, "reliability"),
        (EVENTS[4] | {"status": "running"}, "status"),
    ],
)
def test_what_no_run_records_is_refused(event, says):
    with pytest.raises(ValueError, match=says) as raised:
        parse(json.dumps(event).encode())
    assert "\n" not in str(raised.value)


@given(st.binary() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_no_line_at_all_is_worse_than_a_value_error(line):
    with pytest.raises(ValueError, match=r".+"):
        parse(line if isinstance(line, bytes) else line.encode())


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({"event": "start", "trial": "t0009"}, "no trial 't0009'"),
        (EVENTS[0] | {"trial": "/etc"}, "the next trial is t0002, found '/etc'"),
        (EVENTS[0] | {"trial": "../../x"}, "the next trial is t0002"),
        (EVENTS[2] | {"epoch": 10**18}, "epoch 1000000000000000000 of t0001, which has 3"),
        (EVENTS[4] | {"epoch": 3}, "ended at epoch 3, recorded are 2"),
    ],
)
def test_what_cannot_follow_is_named_by_its_line(tmp_path, event, says):
    folder = new_run(str(tmp_path), "r")
    RunStore.create(folder, {"space": {}}).close()
    writer = LogWriter(folder.events, seed_of(folder.id))
    for each in [*EVENTS, event]:
        writer.append(each)
    writer.close()
    with pytest.raises(LogDamaged, match=f"line 6: .*{says}"):
        read_record(folder)


def test_a_log_deleted_in_mid_run_stops_the_writer(tmp_path):
    folder = new_run(str(tmp_path), "r")
    store = RunStore.create(folder, {"space": {}})
    store.add_trial("sampled", {}, CONFIG)
    folder.events.unlink()
    with pytest.raises(FileNotFoundError, match="No such file") as raised:
        store.start("t0001")
    assert raised.value.filename == str(folder.events)
    store.close()


def test_a_log_that_shrinks_under_its_reader_is_refused(path, lines):
    log = EventLog(path, ID)
    assert len([*log.new()]) == len(EVENTS)
    os.truncate(path, 10)
    with pytest.raises(LogDamaged, match="become shorter"):
        [*log.new()]


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_named(path, kind):
    os.mkfifo(path) if kind == "pipe" else path.mkdir()
    with pytest.raises(OSError, match="no regular file") as raised:
        [*EventLog(path, ID).new()]
    assert raised.value.filename == str(path)


def test_an_error_text_that_has_no_encoding_does_not_spoil_the_log(tmp_path):
    folder = new_run(str(tmp_path), "r")
    store = RunStore.create(folder, {"space": {}})
    store.add_trial("sampled", {}, CONFIG)
    store.end("t0001", "failed", "there is no file 'caf\udce9'")
    store.close()
    assert read_trials(folder)["t0001"].error == "there is no file 'caf?'"


def test_deleting_the_lock_file_lets_no_second_writer_in(tmp_path):
    folder = new_run(str(tmp_path), "r")
    store = RunStore.create(folder, {"space": {}})
    folder.lock.unlink()
    assert folder.is_live()
    with pytest.raises(UserError, match="another process is working on the run"):
        RunStore(folder)
    store.close()
    assert not folder.is_live()
    RunStore(folder).close()
