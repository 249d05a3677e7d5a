"""A process of Ray's own dies in mid-search: one clear error, soon, and nothing is lost."""

import os
import signal
import time

import pandas as pd
import pytest

from tests.cli.command import Started
from tests.cli.paced import write_space

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture
def events(tmp_path):
    return tmp_path / "runs" / "r1" / "events.jsonl"


@pytest.fixture
def begun(tmp_path, events):
    """``begun(*options)``: a search that has begun, of long trials one after the other."""

    def begun(*options):
        path = write_space(tmp_path, epochs=600)
        command = Started("search", "--space", path, "--name", "r1", *options, cwd=tmp_path)
        command.wait_until(lambda: events.exists() and events.read_text().count('"epoch"') >= 3)
        return command

    return begun


def killed(command, process, blocked=0):
    """kill -9 to that process of Ray's, ``blocked`` seconds after it has stopped to answer."""
    found = command.processes(process)
    assert found
    for each in found:
        if blocked:
            os.kill(each, signal.SIGSTOP)
            time.sleep(blocked)
        os.kill(each, signal.SIGKILL)


def assert_one_clear_error(command, trials):
    code, output = command.finish(50)  # Ray itself would end the process after a minute
    assert code == 2, output
    assert "Traceback" not in output
    assert "state-dump" not in output, "the log of Ray's own process is not the user's"
    assert "has died" in " ".join(output.split())
    assert "tune-robust resume r1" in output
    assert "running" not in set(pd.read_parquet(trials)["status"])


def test_ray_goes_on_without_its_dashboard_and_ends_with_its_raylet(begun, events):
    command = begun()
    killed(command, "ray/dashboard/dashboard.py")
    seen = events.read_text().count('"epoch"')
    command.wait_until(lambda: events.read_text().count('"epoch"') >= seen + 10)
    killed(command, "raylet/raylet")
    assert_one_clear_error(command, events.with_name("trials.parquet"))


def test_a_dead_gcs_ends_the_search_that_waits_for_it(begun, events):
    command = begun("--no-dashboard")
    assert not command.processes("ray/dashboard/dashboard.py")
    killed(command, "gcs/gcs_server", blocked=4)
    assert_one_clear_error(command, events.with_name("trials.parquet"))
