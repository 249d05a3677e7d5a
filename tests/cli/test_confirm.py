"""``confirm`` with the real command: the winners again on fresh seeds.

That a confirmation survives its killing is seen in test_own_loop.py.
"""

import json

import pandas as pd
import pytest

from tests.cli.command import run
from tests.cli.tiny import SPACE
from tests.tuning.simulated import simulate
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.provenance import provenance
from tune_robust.spaces.space import Space

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def search(tmp_path, **options):
    """A search that never trained: its configurations are real, its scores invented."""
    document = {**SPACE, "train": {**SPACE["train"], "epochs": 2}}
    document["budget"] = {"trials": 6, "scheduler": "none"}
    (tmp_path / "runs").mkdir()
    simulate(Space.from_document(document), tmp_path / "runs" / "r1", **options)
    folder = RunFolder(tmp_path / "runs" / "r1")
    folder.write_meta(folder.read_meta() | provenance())
    return folder.path


def test_winners_are_confirmed_beside_the_baseline_and_the_search_is_told(tmp_path):
    folder = search(tmp_path, stop_after=9)
    confirm = ("confirm", "r1", "--top", 1, "--no-dashboard", "--seeds")
    said = " ".join(run(*confirm, 1, cwd=tmp_path).stdout.split())
    assert "The search has not finished: 3 of 6 trials have ended" in said
    assert "does not show the spread" in said

    more = run(*confirm, 2, "--json", cwd=tmp_path)
    assert "2 trials to run" in more.stderr
    found = json.loads((folder / "confirm" / "confirmation.json").read_text())
    assert json.loads(more.stdout)["trials"] == found["trials"]
    trials = pd.read_parquet(folder / "confirm" / "trials.parquet")
    for row in found["trials"]:
        scores = trials[trials["confirms"] == row["trial"]][found["metric"]]
        assert row["n"] == len(scores) == 2
        assert row["mean"] == pytest.approx(scores.mean())
    again = run(*confirm, 2, cwd=tmp_path)
    assert "trials to run" not in again.stderr
    for promised in ("95 % interval", "t0001 base", "P(best)", "best mean", "confirmation.json"):
        assert promised in again.stdout

    assert "Confirmed: " in run("status", "r1", cwd=tmp_path).stdout
    assert "t0001 of t0" in run("status", "runs/r1/confirm", cwd=tmp_path).stdout
    refused = run("confirm", "runs/r1/confirm", cwd=tmp_path, code=2).stderr
    assert "is itself a confirmation" in refused
    refused = run("resume", "runs/r1/confirm", "--trials", "+1", cwd=tmp_path, code=2).stderr
    assert "extend it with `tune-robust confirm" in refused


def test_a_run_without_results_is_refused(tmp_path, refused):
    search(tmp_path, stop_after=0)
    assert "no trial with a result to confirm" in refused("confirm", "r1")
