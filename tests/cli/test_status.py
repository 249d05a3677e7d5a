"""``tune-robust status`` of recorded runs."""

import json

import pytest

from tests.cli.command import run
from tests.tuning.simulated import simulate, space, trading
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.provenance import provenance
from tune_robust.runs.store import RunStore

pytestmark = pytest.mark.e2e

BUDGET = {"trials": 20, "scheduler": "asha", "grace": 2, "reduction": 2, "sentinels": 5}


def test_it_marks_the_sentinels_and_says_what_the_rungs_are_worth(tmp_path):
    (tmp_path / "runs").mkdir()
    conductor = simulate(space(budget=BUDGET), tmp_path / "runs" / "r")
    shown = run("status", "r", cwd=tmp_path).stdout
    assert "t0001 ◆" in shown
    assert "◆ sentinel, never stopped early." in shown
    assert "rank correlation with the end" in shown
    assert "Rung check: early stopping would have" in shown
    document = json.loads(run("status", "r", "--json", cwd=tmp_path).stdout)
    sentinels = {t.name for t in conductor.trials.values() if t.sentinel}
    assert {t["trial"] for t in document["trials"] if t["sentinel"]} == sentinels
    assert set(document["rung_check"]["cohort"]) == sentinels
    assert [rung["resource"] for rung in document["rung_check"]["rungs"]] == [2, 4, 8]


def test_it_says_nothing_of_rungs_where_there_are_no_sentinels(tmp_path):
    (tmp_path / "runs").mkdir()
    simulate(space(), tmp_path / "runs" / "r")
    unstopped = {"trials": 20, "scheduler": "none"}
    simulate(space(budget=unstopped), tmp_path / "runs" / "unstopped")
    for name in ("r", "unstopped"):
        shown = run("status", name, cwd=tmp_path).stdout
        assert "Rung check" not in shown
        assert "◆" not in shown


def test_of_very_many_trials_it_shows_the_best_and_all_on_request(tmp_path):
    (tmp_path / "runs").mkdir()
    many = space(budget={"trials": 205, "scheduler": "none"}, searcher={"name": "random"})
    found = simulate(many, tmp_path / "runs" / "r", stop_after=6 * 205 - 3)
    ranked = [trial.name for trial in found.progress.best_first()]
    shown = run("status", "r", cwd=tmp_path).stdout
    assert all(name in shown for name in [*ranked[:200], "t0205"])
    assert not any(name in shown for name in ranked[201:] if name != "t0205")
    assert "more trials ended; --all shows them." in shown
    shown = run("status", "r", "--all", cwd=tmp_path).stdout
    assert all(name in shown for name in ranked)
    assert "--all shows them" not in shown


def test_of_several_objectives_it_shows_the_front_and_export_writes_it(tmp_path):
    (tmp_path / "runs").mkdir()
    given = provenance()
    folder = tmp_path / "runs" / "r"
    RunStore.create(RunFolder(folder), {"space": trading().document(), **given}).close()
    simulate(trading(), folder, lambda trial, epoch: float(epoch))
    shown = run("status", "r", cwd=tmp_path).stdout
    assert "Pareto front of val_accuracy and gradient_evaluations" in shown
    front = json.loads(run("status", "r", "--json", cwd=tmp_path).stdout)["pareto_front"]
    assert len(front) > 3
    assert all(name in shown for name in front)
    paths = run("export", "r", cwd=tmp_path).stdout.split()
    assert [path.rpartition("_")[2] for path in paths] == [f"{name}.yaml" for name in front]
    assert len(run("export", "r", "--top", 2, cwd=tmp_path).stdout.split()) == 2
