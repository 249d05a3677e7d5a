"""The verbs that read a run: what they return, what they write, and that they print nothing."""

import math
from pathlib import Path

import pytest
import yaml

import tune_robust as tr
from tests.tuning.simulated import simulate, space


@pytest.fixture(autouse=True)
def _prints_nothing(capsys):
    yield
    assert capsys.readouterr() == ("", "")


def test_export_writes_the_best_and_returns_the_files(finished):
    files = tr.export("r1", top=2)
    assert [file.parent for file in files] == [Path("runs/r1/exported")] * 2
    best = yaml.safe_load(files[0].read_text())
    trials = tr.load_run("r1").trials
    done = trials[trials["status"] == "done"]
    assert best["result"]["trial"] == done.loc[done["objective"].idxmax(), "trial"]
    (table,) = tr.export(tr.load_run("r1"), format="csv", out=finished / "tables")
    assert table == finished / "tables" / "trials.csv"


def test_export_by_another_metric_writes_the_best_by_it(tmp_path):
    """Here the loss grows with the accuracy."""

    def contrary(trial, epoch, metrics):
        return {**metrics, "val_loss": metrics["val_accuracy"]}

    run = tmp_path / "r1"
    simulate(space(), run, metrics=contrary)
    trials = tr.load_run(run).trials
    done = trials[trials["status"] == "done"]
    written = {}
    for by in (None, "val_loss"):
        (file,) = tr.export(run, top=1, by=by, out=tmp_path / str(by))
        written[by] = yaml.safe_load(file.read_text())["result"]["trial"]
    assert written[None] == done.loc[done["objective"].idxmax(), "trial"]
    assert written["val_loss"] == done.loc[done["val_loss"].idxmin(), "trial"]
    assert written["val_loss"] != written[None]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "test_accuracy"}, "must not be used for selection"),
        ({"by": "train_loss"}, "did not record train_loss"),
        ({"by": "val_loss", "winner": "plateau"}, "Leave --by out"),
        ({"format": "xml"}, "Allowed: csv, json, parquet, yaml"),
        ({"winner": "peek"}, "Did you mean 'peak'"),
        ({"winner": "plateau", "checkpoint": True}, "Leave --format and --checkpoint out"),
        ({"checkpoint": True}, "are not kept"),
    ],
)
def test_export_refuses_what_it_cannot_do(finished, arguments, message):
    with pytest.raises(tr.UserError, match=message):
        tr.export("r1", **arguments)


def test_report_writes_the_page_into_the_runs_folder(finished):
    assert tr.report("r1") == Path("runs/r1/report.html")
    assert tr.report(tr.load_run("r1"), out=finished / "page.html") == finished / "page.html"


def test_figures_are_written_as_data(finished):
    files = tr.write_figures("r1", finished / "figures", format="csv")
    assert {"learning-curves.csv", "best-so-far.csv"} <= {file.name for file in files}
    with pytest.raises(tr.UserError, match="no format 'jpg'"):
        tr.write_figures("r1", finished / "figures", format="jpg")


def test_sensitivity_is_a_figure_of_two_settings(finished):
    by_name = tr.sensitivity("r1", x="sam.rho", y="saner.alpha")
    assert by_name == tr.sensitivity(tr.load_run("r1"), x="sam.rho", y="saner.alpha")
    with pytest.raises(tr.UserError, match=r"sam\.rhoo"):
        tr.sensitivity("r1", x="sam.rhoo")


def test_status_counts_and_ranks(finished):
    found = tr.status("r1")
    assert (found["run"], found["live"], found["ended"], found["total"]) == ("r1", False, 12, 12)
    best = next(trial["trial"] for trial in found["trials"] if trial["status"] == "done")
    assert (found["selection"]["metric"], found["selection"]["trial"]) == ("val_accuracy", best)
    done = [t["metrics"]["val_accuracy"] for t in found["trials"] if t["status"] == "done"]
    assert done == sorted(done, reverse=True)


def test_compare_returns_its_scenes_and_writes_a_page_where_asked(finished, tmp_path):
    simulate(space(searcher={"name": "random"}), tmp_path / "runs" / "r2")
    found = tr.compare("r1", tr.load_run("r2"))
    assert [len(scene.entries) for scene in found.scenes] == [2]
    assert not list(tmp_path.glob("*.html"))
    tr.compare("r1", "r2", out=tmp_path / "page.html")
    assert (tmp_path / "page.html").exists()


def test_replay_compares_combinations(tmp_path):
    simulate(space(budget={"trials": 12, "scheduler": "none"}), tmp_path / "r")
    found = tr.replay(
        tmp_path / "r", schedulers=["asha", "none"], searchers=["random"], seeds=2, trials=6
    )
    assert [c["name"].split()[0] for c in found["combinations"]] == ["asha", "none"]
    assert all(c["n"] == 2 for c in found["combinations"])
    assert math.isfinite(found["pool"]["best"])
    with pytest.raises(tr.UserError, match="clock"):
        tr.replay(tmp_path / "r", clock="minutes")
    with pytest.raises(tr.UserError, match=r"ends in \.html"):
        tr.replay(tmp_path / "r", out="curves.png")


def test_nothing_is_confirmed_of_a_run_without_results(tmp_path):
    simulate(space(), tmp_path / "r", stop_after=0)
    with pytest.raises(tr.UserError, match="no trial with a result to confirm yet"):
        tr.confirm(tmp_path / "r", progress=False)
