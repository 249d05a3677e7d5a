"""What goes wrong on real machines, done to the real command: nothing is lost, nothing repeated.

Whatever it trains: that networks go on from their checkpoints is seen in test_end_to_end.py.
"""

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.command import Started, run
from tests.cli.paced import write_space
from tests.fuzz.kills import BUDGET, TIMED, events, kill_and_compare, leftovers, trials_of
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.log import sealed, seed_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture
def start(tmp_path):
    """Starts commands in the test's folder."""
    return lambda *arguments: Started(*arguments, cwd=tmp_path)


@pytest.fixture
def space(tmp_path):
    """A search of one trial after the other, which some tests disturb."""
    return write_space(tmp_path, epochs=20)


@pytest.fixture
def whole(once, space, tmp_path):
    """The trials of that search where nothing disturbed it."""
    storage = once("whole", lambda to: run(*search(space, "--storage", to), cwd=tmp_path))
    return trials_of(storage / "r1")


@pytest.fixture
def interrupted(space, start, tmp_path):
    """That search, killed in the middle of its first trial: the run's folder, to be changed."""
    command, folder = start(*search(space)), tmp_path / "runs" / "r1"
    command.wait_until(lambda: len(events(folder, "epoch")) >= 4)
    command.kill_tree()
    return folder


def assert_same_trials(trials, whole):
    pd.testing.assert_frame_equal(trials.drop(columns=TIMED), whole.drop(columns=TIMED))


def search(space, *more):
    return ("search", "--space", space, "--name", "r1", "--no-dashboard", *more)


def test_kills_change_nothing(tmp_path):
    """Of the command with Ray and its trials; tests/tuning/engine/test_kills.py has many more."""
    searched = {"budget": BUDGET | {"trials": 12}, "searcher": {"name": "tpe", "startup": 4}}
    space = write_space(tmp_path, epochs=6, pause=0.05, **searched)
    kill_and_compare(tmp_path, space, kills=4, seed=7)


def test_a_killed_worker_costs_no_more_than_an_epoch(tmp_path, space, start):
    command = start(*search(space, "--trials", 2))
    folder = tmp_path / "runs" / "r1"
    command.wait_until(lambda: len(events(folder, "epoch")) >= 3)
    workers = []
    # Between two epochs its title is Ray's own for an instant.
    command.wait_until(lambda: workers.extend(command.processes("ray::t0")) or workers)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    code, output = command.finish(200)
    assert code == 0, output
    trials = trials_of(folder)
    assert list(trials["status"]) == ["done", "done"]
    interrupted = [e for e in events(folder, "end") if e["status"] == "interrupted"]
    assert len(interrupted) == 1
    assert "its process was lost" in interrupted[0]["error"]
    assert "its process was lost" in run("status", "r1", cwd=tmp_path).stdout
    epochs = [e["epoch"] for e in events(folder, "epoch") if e["trial"] == "t0001"]
    assert len(epochs) - len(set(epochs)) <= 1, epochs


@pytest.fixture
def small_disk(tmp_path):
    """A storage of 6 MB."""
    disk = tmp_path / "small"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a full storage needs the right to mount one: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_storage_stops_the_search_which_goes_on_once_there_is_space(
    tmp_path, space, whole, small_disk, start
):
    command = start(*search(space, "--storage", small_disk))
    folder = small_disk / "r1"
    command.wait_until(lambda: len(events(folder, "epoch")) >= 2)
    ballast = small_disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    code, output = command.finish(200)
    assert code == 2, output
    for promised in (str(folder), "No space left on device", f"tune-robust resume {folder}"):
        assert promised in " ".join(output.split())
    assert "Traceback" not in output
    assert not leftovers(folder)
    ballast.unlink()
    assert "failed" not in set(trials_of(folder)["status"])
    run("resume", folder, "--no-dashboard", cwd=tmp_path)
    assert_same_trials(trials_of(folder), whole)


@pytest.mark.parametrize("storage", ["/proc/runs", "/dev/null/runs"])
def test_a_storage_that_cannot_be_written_to_is_refused(tmp_path, space, storage):
    refused = run(*search(space, "--storage", storage), cwd=tmp_path, code=2)
    assert storage in refused.stderr
    assert "--storage" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_interruptions_are_clean_say_how_to_go_on_and_change_nothing(tmp_path, space, whole, start):
    """SIGTERM, then to the resumed search ten times Ctrl-C."""
    folder = tmp_path / "runs" / "r1"
    command = start(*search(space))
    command.wait_until(lambda: len(events(folder, "epoch")) >= 2)
    assert_interrupted(*command.interrupt(signal.SIGTERM), folder)

    seen = len(events(folder, "epoch"))
    command = start("resume", "r1")
    command.wait_until(lambda: len(events(folder, "epoch")) >= seen + 2)
    began = time.monotonic()
    for _ in range(9):
        command.process.send_signal(signal.SIGINT)
        time.sleep(0.15)
    assert_interrupted(*command.interrupt(), folder)
    assert time.monotonic() - began < 30
    assert "interrupted" in run("status", "r1", cwd=tmp_path).stdout

    assert "Winner:" in run("resume", "r1", "--no-dashboard", cwd=tmp_path).stdout
    assert_same_trials(trials_of(folder), whole)


def assert_interrupted(code, output, folder):
    assert code == 130, output
    assert "tune-robust resume r1" in output
    assert "Traceback" not in output
    assert "running" not in set(trials_of(folder)["status"])


def test_a_truncated_checkpoint_the_clock_the_locale_and_the_directory_do_not_matter(
    tmp_path, interrupted, whole, monkeypatch
):
    last = interrupted / "checkpoints" / "t0001" / "last.pt"
    content = last.read_bytes()
    last.unlink()  # best.pt may be the same file
    last.write_bytes(content[: len(content) // 2])
    _move_clock(interrupted, seconds=3 * 86400)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("LC_ALL", "LANG"):
        monkeypatch.setenv(name, _locale())
    run("resume", interrupted, "--no-dashboard", cwd=elsewhere)
    assert_same_trials(trials_of(interrupted), whole)
    assert [*elsewhere.iterdir()] == []


def _move_clock(folder: Path, seconds: float) -> None:
    """What was recorded so far lies in the future: as if the clock had since gone backwards."""
    log, checksum = folder / "events.jsonl", seed_of(RunFolder(folder).id)
    lines = []
    for line in log.read_text().splitlines():
        event = {key: value for key, value in json.loads(line).items() if key != "crc"}
        moved, checksum = sealed(event | {"time": event["time"] + seconds}, checksum)
        lines.append(moved)
    log.write_bytes(b"".join(lines))
    future = time.time() + seconds
    for path in folder.rglob("*"):
        os.utime(path, (future, future))


def _locale() -> str:
    """One that writes 1,5 where it is installed."""
    found = subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.split()
    return next((name for name in found if name.startswith("de_DE")), "C")
