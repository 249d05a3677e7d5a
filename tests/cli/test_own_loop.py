"""The real command with a loop of the user's own, in plain Python: PyTorch is never imported."""

import json

import pandas as pd
import pytest
import yaml

from tests.cli.command import Started, read_table, run
from tests.loops.parts import LOOP, SPACE
from tests.own.parts import write_modules

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

WITHOUT_TORCH = """
    import sys
    import time

    assert "torch" not in sys.modules
"""


def test_a_search_of_an_own_loop_is_killed_resumed_and_confirmed(tmp_path):
    slow = LOOP.replace("trial.report(", "time.sleep(0.1)\n            trial.report(")
    slow = slow.replace("state = {", 'assert "torch" not in sys.modules\n        state = {', 1)
    write_modules(tmp_path, my_loop=WITHOUT_TORCH + slow)
    (tmp_path / "loop.yaml").write_text(yaml.safe_dump(SPACE))
    place = tmp_path / "runs" / "r1"
    started = Started(
        *("search", "--space", "loop.yaml", "--name", "r1", "--no-dashboard"), cwd=tmp_path
    )

    def some_have_ended():
        table = place / "trials.parquet"
        return table.exists() and read_table(table)["status"].isin(["done", "stopped"]).any()

    started.wait_until(some_have_ended)
    started.kill_tree()
    run("resume", "r1", "--no-dashboard", cwd=tmp_path)
    trials = pd.read_parquet(place / "trials.parquet")
    assert len(trials) == 6
    assert {*trials["status"]} <= {"done", "stopped"}
    assert trials.loc[trials["status"] == "done", "gradient_evaluations"].eq(16).all()

    confirmed = run(
        *("confirm", "r1", "--top", 1, "--seeds", 2, "--no-dashboard", "--json"), cwd=tmp_path
    )
    (winner,) = json.loads(confirmed.stdout)["trials"]
    assert winner["n"] == 2
    assert winner["low"] < winner["high"]
    run("export", "r1", "--top", 1, "--out", tmp_path / "out", "--checkpoint", cwd=tmp_path)
    (exported,) = (tmp_path / "out").glob("*.yaml")
    again = run("train", "--config", exported, cwd=tmp_path)
    assert "Reproduced: every metric equals the exported one exactly." in again.stdout
    assert (exported.with_suffix("") / "state.json").exists()
