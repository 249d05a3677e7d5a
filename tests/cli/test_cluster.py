"""The real command on a real Ray cluster of two nodes, which runs already."""

import json
from collections import Counter

import pandas as pd
import pytest
import yaml

from tests.cli.command import Started
from tests.cli.tiny import SPACE

pytestmark = [pytest.mark.e2e, pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(SPACE))
    return path


def events(folder, kind):
    path = folder / "events.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    found = [json.loads(line) for line in lines if line.endswith("\n")]
    return [event for event in found if event["event"] == kind]


def test_trials_run_on_all_nodes_and_survive_the_loss_of_one(tmp_path, space, ray_cluster):
    ray_cluster.add_node()
    other = ray_cluster.add_node()
    folder = tmp_path / "runs" / "r1"
    started = Started(
        *("search", "--space", space, "--name", "r1", "--address", ray_cluster.address),
        *("--trials", 4, "--set", "train.epochs=100", "--set", "budget.scheduler=none"),
        cwd=tmp_path,
    )
    started.wait_until(lambda: all(node.trials() for node in ray_cluster.nodes))

    def both_are_under_way():
        done = Counter(event["trial"] for event in events(folder, "epoch"))
        return len(done) >= 2 and all(epochs >= 3 for epochs in done.values())

    started.wait_until(both_are_under_way)
    other.kill()
    output, _ = started.process.communicate(timeout=240)
    assert started.process.returncode == 0, output
    assert f"Joining the Ray cluster at {ray_cluster.address}" in output
    assert "2 at a time" in output

    trials = pd.read_parquet(folder / "trials.parquet")
    assert list(trials["status"]) == ["done"] * 4, output
    epochs = pd.read_parquet(folder / "epochs.parquet")
    assert not epochs.duplicated(["trial", "epoch"]).any()
    assert list(epochs.groupby("trial").size()) == [200, 100, 100, 100]
    interrupted = [e for e in events(folder, "end") if e["status"] == "interrupted"]
    assert len(interrupted) == 1, interrupted
    lost = interrupted[0]["trial"]
    assert "lost" in interrupted[0]["error"]
    reported = [e["epoch"] for e in events(folder, "epoch") if e["trial"] == lost]
    again = len(reported) - len(set(reported))
    assert again <= 1, "it went on from its last checkpoint, whose epoch it reports again"
