"""``ray job submit`` of the real command, to the head of a real Ray cluster."""

import json
import subprocess

import pandas as pd
import pytest

from tests.cli.command import Started
from tests.cli.paced import write_space
from tests.cluster import RAY

pytestmark = [pytest.mark.e2e, pytest.mark.cluster, pytest.mark.timeout(600)]

PATIENCE = json.dumps({"env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": "60"}})


@pytest.fixture
def work(tmp_path):
    """The folder that a job comes with: the space's file, and the loop's."""
    folder = tmp_path / "work"
    folder.mkdir()
    write_space(folder, epochs=50, pause=0.25)  # longer than it takes to stop it
    return folder


def test_a_submitted_search_stops_cleanly_resumes_and_ends(
    tmp_path, work, ray_cluster, monkeypatch
):
    ray_cluster.add_node(takes_jobs=True)
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", ray_cluster.dashboard)
    storage = tmp_path / "jobs"

    def submit(name, *arguments):
        options = ("--submission-id", name, "--working-dir", work, "--runtime-env-json", PATIENCE)
        command = [RAY, "job", "submit", *options, "--", "tune-robust", *arguments]
        return Started(cwd=tmp_path, command=[*map(str, command)])

    search = ("search", "--space", "paced.yaml", "--name", "r1", "--trials", 2)
    started = submit("first", *search, "--storage", storage)
    events = storage / "r1" / "events.jsonl"
    started.wait_until(lambda: events.exists() and events.read_text().count('"epoch",') >= 3)
    # The job does not depend on the command that shows its output.
    started.kill_tree()
    subprocess.run([RAY, "job", "stop", "first"], check=True, timeout=120, capture_output=True)
    output = subprocess.run(
        [RAY, "job", "logs", "first"], check=True, timeout=60, capture_output=True, text=True
    ).stdout
    assert "`ray job stop first` stops the search cleanly" in output
    assert f"tune-robust resume {storage / 'r1'}" in output
    assert "Traceback" not in output
    assert "\x1b[" not in output.partition("Running entrypoint")[2], "made for a terminal"
    assert "running" not in set(pd.read_parquet(storage / "r1" / "trials.parquet")["status"])

    code, output = submit("second", "resume", storage / "r1").finish(240)
    assert code == 0, output
    assert "Winner:" in output
    trials, epochs = (
        pd.read_parquet(storage / "r1" / f"{table}.parquet") for table in ("trials", "epochs")
    )
    assert list(trials["status"]) == ["done", "done"]
    assert list(epochs.groupby("trial").size()) == [50, 50]
    assert not epochs.duplicated(["trial", "epoch"]).any()
