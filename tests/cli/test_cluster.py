"""The real command on a real Ray cluster of two nodes, which runs already."""

import io
import json
import secrets
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.cli.command import Started, run
from tests.cli.tiny import SPACE
from tests.own.parts import write_modules
from tune_robust.runs.remote.objects import Remote
from tune_robust.runs.remote.segments import RemoteLog

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.cluster,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def head(ray_cluster):
    """The node that all tests here join the cluster by."""
    return ray_cluster.add_node()


@pytest.fixture
def space(tmp_path):
    """With a loss of one's own, which lies beside it and on none of the nodes."""
    path = tmp_path / "tiny.yaml"
    write_modules(tmp_path)
    train = SPACE["train"] | {"loss": {"name": "my_losses:focal", "gamma": 1.0}}
    path.write_text(yaml.safe_dump({**SPACE, "train": train}))
    return path


def events(folder, kind):
    lines = RemoteLog(Path(), folder).read().decode().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def table(folder, name):
    return pd.read_parquet(io.BytesIO(folder.read(name)))


def test_trials_run_on_all_nodes_and_survive_the_loss_of_one(
    tmp_path, space, bucket, ray_cluster, head, trial_processes, monkeypatch
):
    """The nodes and the command share nothing but the bucket and the token.

    What is of one's own travels to all nodes: the loss is beside the space. Run it by hand for
    trials of several processes, with ``--trial-processes 2``.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    other = ray_cluster.add_node()
    folder = Remote(f"{bucket}/r1")
    started = Started(
        *("search", "--space", space, "--name", "r1", "--address", ray_cluster.address),
        *("--storage", bucket, "--trials", 3),
        *("--set", "train.epochs=40", "--set", "budget.scheduler=none"),
        *("--set", "resources.concurrency=2"),
        *("--set", f"resources.processes={trial_processes}"),
        cwd=tmp_path,
    )
    started.wait_until(lambda: head.trials() and other.trials(), every=0.3)

    def both_are_under_way():
        done = Counter(event["trial"] for event in events(folder, "epoch"))
        return len(done) >= 2 and all(epochs >= 3 for epochs in done.values())

    started.wait_until(both_are_under_way, every=0.3)
    other.kill()
    code, output = started.finish(240)
    assert code == 0, output
    assert f"Joining the Ray cluster at {ray_cluster.address}" in output
    assert "2 at a time" in output

    assert [*json.loads(folder.read("run.json"))["code"]["files"]] == ["my_losses.py"]
    trials = table(folder, "trials.parquet")
    assert list(trials["status"]) == ["done"] * 4, output
    epochs = table(folder, "epochs.parquet")
    assert not epochs.duplicated(["trial", "epoch"]).any()
    assert list(epochs.groupby("trial").size()) == [80, 40, 40, 40]
    interrupted = [e for e in events(folder, "end") if e["status"] == "interrupted"]
    assert len(interrupted) == 1, interrupted
    lost = interrupted[0]["trial"]
    assert "lost" in interrupted[0]["error"]
    reported = [e["epoch"] for e in events(folder, "epoch") if e["trial"] == lost]
    again = len(reported) - len(set(reported))
    assert again <= 1, "it went on from its last checkpoint, whose epoch it reports again"
    for node in (head, other):
        assert any((node.cache / "tune-robust" / "data").iterdir()), "decoded on each machine"


@pytest.mark.usefixtures("head")
def test_a_cluster_that_cannot_be_used_is_refused_with_what_to_do(
    tmp_path, space, ray_cluster, monkeypatch
):
    search = ("search", "--space", space, "--name", "r1")
    program = (
        "from tune_robust.tuning.engine.ray_session import check_nodes, ray_session\n"
        f"with ray_session(address={ray_cluster.address!r}, dashboard=False, verbose=False):\n"
        "    check_nodes('/')\n"
        "    check_nodes('/no/such/folder')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert "cannot access the run's folder /no/such/folder" in done.stderr, done.stderr

    monkeypatch.setenv("RAY_ADDRESS", ray_cluster.address)
    other = tmp_path / "token"
    other.write_text(secrets.token_hex(32))
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(other))
    refused = run(*search, cwd=tmp_path, code=2)
    assert f"{ray_cluster.address} (RAY_ADDRESS)" in refused.stdout
    assert "refuses this machine's token" in " ".join(refused.stderr.split())
    refused = run("resume", "r1", "--address", "127.0.0.1:1", cwd=tmp_path, code=2)
    assert "cannot join a Ray cluster at '127.0.0.1:1'" in " ".join(refused.stderr.split())
