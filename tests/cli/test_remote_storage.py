"""The real command with its runs in a bucket of a real S3 server."""

import json
import shutil

import pandas as pd
import pytest

from tests.cli.command import Started, run
from tests.cli.paced import write_space
from tests.tuning.simulated import simulate
from tune_robust.runs.remote.objects import Remote
from tune_robust.runs.remote.segments import RemoteLog
from tune_robust.spaces.space import load_space

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture
def storage(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return f"{bucket}/runs"


def statuses(storage):
    found = Remote(f"{storage}/r1").read("trials.parquet")
    return [] if found is None else list(pd.read_parquet(pd.io.common.BytesIO(found))["status"])


def test_a_run_in_a_bucket_survives_its_machine(tmp_path, storage):
    # The second command looks for half a minute whether the first one renews its lease.
    space = write_space(tmp_path, epochs=100, pause=0.15)
    common = ("--storage", storage, "--no-dashboard")
    arguments = ("--space", space, "--name", "r1", "--trials", 5)
    started = Started("search", *arguments, *common, cwd=tmp_path)
    started.wait_until(lambda: "done" in statuses(storage), every=0.5)
    refused = run("resume", "r1", *common, cwd=tmp_path, code=2)
    assert "another process is working on the run 'r1'" in refused.stderr
    started.kill_tree()
    # Another machine has nothing of the local folder.
    shutil.rmtree(tmp_path / "cache" / "tune-robust" / "runs")

    done = run("resume", f"{storage}/r1", "--no-dashboard", cwd=tmp_path)
    assert "Winner:" in done.stdout
    assert statuses(storage) == ["done"] * 5
    names = Remote(f"{storage}/r1").names()
    assert {"run.json", "epochs.parquet", "report.html"} <= set(names)
    assert "run.lease" not in names
    events = RemoteLog(tmp_path, Remote(f"{storage}/r1")).read().decode().splitlines()
    epochs = [(e["trial"], e["epoch"]) for e in map(json.loads, events) if e["event"] == "epoch"]
    for name in {trial for trial, _ in epochs}:
        of_it = {epoch for trial, epoch in epochs if trial == name}
        assert of_it == set(range(1, max(of_it) + 1))

    shutil.rmtree(tmp_path / "cache" / "tune-robust" / "runs")
    shown = json.loads(run("status", "r1", "--json", "--storage", storage, cwd=tmp_path).stdout)
    assert (shown["ended"], shown["live"]) == (5, False)
    out = tmp_path / "out"
    run(
        "export", "r1", "--top", 1, "--checkpoint", "--out", out, "--storage", storage, cwd=tmp_path
    )
    (exported,) = out.glob("*.yaml")
    assert (exported.with_suffix("") / "state.json").exists()
    page = tmp_path / "page.html"
    run("report", f"{storage}/r1", "--out", page, cwd=tmp_path)
    assert page.stat().st_size > 1_000_000
    played = run("replay", "r1", "--seeds", 1, "--json", "--storage", storage, cwd=tmp_path)
    # Epochs that had not gone over when the machine was lost come from the checkpoints.
    assert json.loads(played.stdout)["pool"]["trials"] == 5

    confirm = ("confirm", "r1", "--top", 1, "--seeds", 1, "--no-baselines", *common)
    assert f"{storage}/r1/confirm/confirmation.json" in run(*confirm, cwd=tmp_path).stdout
    shutil.rmtree(tmp_path / "cache" / "tune-robust" / "runs")
    simulate(load_space(write_space(tmp_path, epochs=50)), tmp_path / "here")
    compared = run("compare", "r1", "here", "--json", "--storage", storage, cwd=tmp_path)
    scenes = json.loads(compared.stdout)["scenes"]
    searches = [search for scene in scenes for search in scene["searches"]]
    assert len(searches) == 2
    assert sum(search["confirmed"] is not None for search in searches) == 1
    wrong = run("status", "r2", "--storage", storage, cwd=tmp_path, code=2)
    assert "Did you mean" in wrong.stderr
    assert "r1" in wrong.stderr
