"""A process of Ray's own dies in mid-search: one clear error, soon, and nothing is lost."""

import os
import signal

import pandas as pd
import pytest
import yaml

from tests.cli.command import Started, run
from tests.cli.tiny import SPACE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_a_dead_raylet_ends_the_search_with_one_clear_error(tmp_path):
    path = tmp_path / "space.yaml"
    budget = {"trials": 2, "scheduler": "none"}
    path.write_text(yaml.safe_dump(SPACE | {"baselines": [], "budget": budget}))
    longer = ("--set", "train.epochs=40", "--set", "resources.concurrency=1")
    arguments = ("search", "--space", path, "--name", "r1", "--no-dashboard", *longer)
    command = Started(*arguments, cwd=tmp_path)
    events = tmp_path / "runs" / "r1" / "events.jsonl"
    command.wait_until(lambda: events.exists() and events.read_text().count('"epoch"') >= 3)
    for found in command.processes("raylet/raylet"):
        os.kill(found, signal.SIGKILL)
    code, output = command.finish(60)
    assert code == 2, output
    assert "Traceback" not in output
    assert "has died" in " ".join(output.split())
    assert "tune-robust resume r1" in output
    run("resume", "r1", "--no-dashboard", cwd=tmp_path)
    trials = pd.read_parquet(tmp_path / "runs" / "r1" / "trials.parquet")
    assert list(trials["status"]) == ["done", "done"]
