"""The real command on real digits: search, interruption, resumption, export, training again."""

import json
import signal

import pandas as pd
import pytest
import yaml

from tests.cli.command import Started, read_table, run
from tests.cli.tiny import SPACE, check_predictions
from tests.tuning.simulated import simulate
from tune_robust.runs.folder import RunFolder
from tune_robust.spaces.space import parse_space

pytestmark = [
    pytest.mark.e2e,
    # Ray and its processes are not ours to keep free of warnings; they run outside pytest anyway.
    pytest.mark.timeout(600),
]


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(SPACE))
    return path


def events(run_folder):
    lines = (run_folder / "events.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def ended(run_folder):
    path = run_folder / "trials.parquet"
    if not path.exists():
        return 0
    return int(read_table(path)["status"].isin(["done", "stopped", "failed"]).sum())


def test_search_then_status_export_train_report(searched, monkeypatch):
    output = (searched / "output.txt").read_text()
    folder = searched / "runs" / "r1"
    for promised in ("Winner:", "t0001 method sgd", "val_accuracy", "test accuracy", "report.html"):
        assert promised in output

    trials = pd.read_parquet(folder / "trials.parquet")
    epochs = pd.read_parquet(folder / "epochs.parquet")
    assert list(trials["trial"]) == [f"t{i:04d}" for i in range(1, 7)]
    assert set(trials["status"]) <= {"done", "stopped"}
    assert list(trials["origin"]) == ["baseline"] + ["sampled"] * 5
    baseline = trials.iloc[0]
    assert (baseline["epoch"], baseline["gradient_evaluations"]) == (12, 12)
    assert trials.query("status == 'done' and origin == 'sampled'")["epoch"].eq(6).all()
    assert not epochs.duplicated(["trial", "epoch"]).any()
    assert (folder / "report.html").stat().st_size > 1_000_000

    shown = json.loads(run("status", "r1", "--json", cwd=searched).stdout)
    assert (shown["ended"], shown["total"], shown["live"]) == (6, 6, False)
    assert "t0001" in run("status", "r1", cwd=searched).stdout

    out = searched / "winners"
    run("export", "r1", "--top", 2, "--checkpoint", "--out", out, cwd=searched)
    winner = trials[trials["status"] == "done"].sort_values("objective").iloc[-1]["trial"]
    exported = sorted(path.name for path in out.iterdir())
    assert exported[:2] == [f"1_{winner}.safetensors", f"1_{winner}.yaml"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(searched / "cache"))
    again = run("train", "--config", out / f"1_{winner}.yaml", cwd=searched)
    assert "Reproduced: every metric equals the exported one exactly." in again.stdout
    assert any((searched / "cache" / "tune-robust" / "data").iterdir()), "decoded once"

    run("export", "r1", "--format", "csv", "--out", out, cwd=searched)
    assert pd.read_csv(out / "trials.csv").loc[0, "trial"] == winner
    assert (
        str(searched / "other.html")
        in run("report", "r1", "--out", searched / "other.html", cwd=searched).stdout.strip()
    )

    more = run("resume", "r1", "--trials", "+1", "--no-dashboard", cwd=searched).stdout
    assert "1 trial to run" in more
    assert len(pd.read_parquet(folder / "trials.parquet")) == 7


def test_kill_9_loses_and_repeats_nothing(tmp_path, space):
    (tmp_path / "runs").mkdir()
    simulate(parse_space(SPACE, source="tiny"), tmp_path / "runs" / "first")
    arguments = ("--space", space, "--trials", 4, "--name", "r1", "--no-dashboard")
    arguments += ("--warm-start", "first", "--set", "resources.concurrency=2")
    longer = ("--set", "budget.scheduler=none", "--set", "train.epochs=24")
    longer += ("--set", "record.predictions=[0.5, 1.0]")
    started = Started("search", *arguments, *longer, cwd=tmp_path)
    folder = tmp_path / "runs" / "r1"
    started.wait_until(lambda: ended(folder) >= 2)
    started.process.send_signal(signal.SIGSTOP)  # it must not end before the next line does
    refused = run("resume", "r1", cwd=tmp_path, code=2)
    assert "another process is working on the run 'r1'" in refused.stderr
    started.process.send_signal(signal.SIGCONT)
    seen = len(events(folder))
    started.wait_until(lambda: len(events(folder)) > seen)
    started.kill_tree()
    before = events(folder)
    assert ended(folder) < 5
    assert "interrupted" in run("status", "r1", cwd=tmp_path).stdout

    run("resume", "r1", "--no-dashboard", cwd=tmp_path)
    after = events(folder)
    assert after[: len(before)] == before
    trials = pd.read_parquet(folder / "trials.parquet")
    epochs = pd.read_parquet(folder / "epochs.parquet")
    assert list(trials["trial"]) == [f"t{i:04d}" for i in range(1, 6)]
    assert set(trials["status"]) == {"done"}
    # What the sampler was told of the earlier run is recorded, and in no table.
    assert len(json.loads((folder / "run.json").read_text())["warm_start"]["trials"]) == 5
    assert (
        epochs.groupby("trial")["epoch"]
        .apply(list)
        .map(lambda e: e == [*range(1, len(e) + 1)])
        .all()
    )
    last = epochs.groupby("trial").tail(1).set_index("trial")
    check_predictions(RunFolder(folder).predictions, last)
    over = {e["trial"] for e in before if e["event"] == "end"}
    restarted = {e["trial"] for e in after[len(before) :] if e["event"] == "start"}
    assert over
    assert not over & restarted
    # What was under way went on from its checkpoint: no epoch was trained twice.
    seen = [(e["trial"], e["epoch"]) for e in before if e["event"] == "epoch"]
    seen_again = [(e["trial"], e["epoch"]) for e in after[len(before) :] if e["event"] == "epoch"]
    repeated = set(seen) & set(seen_again)
    assert all(epoch == max(e for t, e in seen if t == trial) for trial, epoch in repeated)


def test_a_search_whose_first_trials_all_fail_stops_and_says_why_and_how_to_go_on(tmp_path):
    document = {
        **SPACE,
        "baselines": [],
        "search": {"optimizer.lr": {"uniform": [1e30, 1e31]}},
        "objective": {"metric": "val_loss"},
    }
    path = tmp_path / "hopeless.yaml"
    path.write_text(yaml.safe_dump(document))
    arguments = ("--space", path, "--name", "r1", "--no-dashboard")
    done = run("search", *arguments, cwd=tmp_path, code=1)
    for promised in (
        "the first 3 trials have all failed with the same error",
        "val_loss is not finite at epoch 1",
        "tune-robust resume r1 --retry-failed",
    ):
        assert promised in done.stderr
    assert "not finite" in run("status", "r1", cwd=tmp_path).stdout
