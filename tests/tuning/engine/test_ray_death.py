"""A process of Ray's own dies in mid-search: one clear error, soon, and nothing is lost."""

import os
import signal
import time

import pandas as pd
import pytest
import yaml

from tests.cli.command import Started, run
from tests.cli.tiny import SPACE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
BUDGET = {"trials": 2, "scheduler": "none"}


@pytest.fixture
def events(tmp_path):
    return tmp_path / "runs" / "r1" / "events.jsonl"


@pytest.fixture
def command(tmp_path, events):
    """A search that has begun, of two trials one after the other."""
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump(SPACE | {"baselines": [], "budget": BUDGET}))
    longer = ("--set", "train.epochs=40", "--set", "resources.concurrency=1")
    command = Started("search", "--space", path, "--name", "r1", *longer, cwd=tmp_path)
    command.wait_until(lambda: events.exists() and events.read_text().count('"epoch"') >= 3)
    return command


def done(folder):
    return list(pd.read_parquet(folder / "trials.parquet")["status"]) == ["done", "done"]


@pytest.mark.parametrize(("process", "blocked"), [("raylet/raylet", 0), ("gcs/gcs_server", 4)])
def test_a_dead_process_ends_the_search_with_one_clear_error(
    tmp_path, events, command, process, blocked
):
    (found,) = command.processes(process)
    if blocked:  # the search waits inside a call into Ray when the process dies
        os.kill(found, signal.SIGSTOP)
        time.sleep(blocked)
    os.kill(found, signal.SIGKILL)
    code, output = command.finish(50)  # Ray itself would end the process after a minute
    assert code == 2, output
    assert "Traceback" not in output
    assert "state-dump" not in output, "the log of Ray's own process is not the user's"
    assert "has died" in " ".join(output.split())
    assert "tune-robust resume r1" in output
    run("resume", "r1", "--no-dashboard", cwd=tmp_path)
    assert done(events.parent)


def test_without_its_dashboard_ray_goes_on(command, events):
    found = command.processes("ray/dashboard/dashboard.py")
    assert found
    for process in found:
        os.kill(process, signal.SIGKILL)
    code, output = command.finish(200)
    assert code == 0, output
    assert done(events.parent)
