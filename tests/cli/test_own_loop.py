"""The real command with a loop of the user's own, in plain Python: PyTorch is never imported."""

import json
import signal
from functools import partial

import pandas as pd
import pytest
import yaml

from tests.cli import command
from tests.cli.forked import WITHOUT_TORCH
from tests.fuzz.kills import events
from tests.loops.parts import LOOP, SPACE
from tests.own.parts import write_modules

run = partial(command.run, modules=WITHOUT_TORCH)
Started = partial(command.Started, modules=WITHOUT_TORCH)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

CHECK = """
    import sys
    import time

    assert "torch" not in sys.modules
"""


def test_a_search_of_an_own_loop_is_killed_resumed_and_confirmed(tmp_path):
    slow = LOOP.replace("trial.report(", "time.sleep(0.1)\n            trial.report(")
    slow = slow.replace("state = {", 'assert "torch" not in sys.modules\n        state = {', 1)
    write_modules(tmp_path, my_loop=CHECK + slow)
    space = SPACE | {"resources": {"concurrency": 1}}
    (tmp_path / "loop.yaml").write_text(yaml.safe_dump(space))
    place = tmp_path / "runs" / "r1"
    started = Started(
        *("search", "--space", "loop.yaml", "--name", "r1", "--no-dashboard"), cwd=tmp_path
    )

    started.wait_until(lambda: events(place, "end"))
    started.kill_tree()
    run("resume", "r1", "--no-dashboard", cwd=tmp_path)
    trials = pd.read_parquet(place / "trials.parquet")
    assert len(trials) == 6
    assert {*trials["status"]} <= {"done", "stopped"}
    assert trials.loc[trials["status"] == "done", "gradient_evaluations"].eq(16).all()

    confirm_through_a_kill(tmp_path, place)
    (winner,) = json.loads((place / "confirm" / "confirmation.json").read_text())["trials"]
    assert winner["n"] == 3
    assert winner["low"] < winner["high"]
    run("export", "r1", "--top", 1, "--out", tmp_path / "out", "--checkpoint", cwd=tmp_path)
    (exported,) = (tmp_path / "out").glob("*.yaml")
    again = run("train", "--config", exported, cwd=tmp_path)
    assert "Reproduced: every metric equals the exported one exactly." in again.stdout
    assert (exported.with_suffix("") / "state.json").exists()


def confirm_through_a_kill(tmp_path, place):
    """Nothing that had ended starts again, and of what was stored nothing changes."""
    arguments = ("confirm", "r1", "--top", 1, "--seeds", 3, "--no-dashboard")
    started = Started(*arguments, cwd=tmp_path)
    started.wait_until(lambda: events(place / "confirm", "end"))
    started.process.send_signal(signal.SIGSTOP)  # it must not end before the next line does
    refused = run(*arguments, cwd=tmp_path, code=2).stderr
    assert "another process is working on the run 'confirm'" in refused
    started.kill_tree()
    before = (place / "confirm" / "events.jsonl").read_bytes()
    assert "confirmation is in progress" in run("status", "r1", cwd=tmp_path).stdout

    done = run("resume", "runs/r1/confirm", "--no-dashboard", cwd=tmp_path).stdout
    assert "over 3 fresh seeds" in " ".join(done.split())
    log = (place / "confirm" / "events.jsonl").read_bytes()
    whole = before[: before.rfind(b"\n") + 1]
    assert log.startswith(whole)
    seen = [json.loads(line) for line in log.splitlines()]
    over = {e["trial"] for e in seen[: whole.count(b"\n")] if e["event"] == "end"}
    restarted = {e["trial"] for e in seen[whole.count(b"\n") :] if e["event"] == "start"}
    assert over
    assert not over & restarted
    assert list(pd.read_parquet(place / "confirm" / "trials.parquet")["status"]) == ["done"] * 3
