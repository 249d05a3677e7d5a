"""The search without a backend: what is proposed, stopped, recorded, and rebuilt after a crash."""

import math

import pandas as pd
import pytest
from optuna.trial import TrialState

from tests.tuning.simulated import peak, simulate, space, store_at, study_of
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials
from tune_robust.tuning.engine.conductor import Conductor


def rows(path):
    return pd.read_parquet(path / "trials.parquet").drop(columns=["checkpoint"])


def test_all_trials_end_and_some_are_stopped_early(tmp_path):
    conductor = simulate(space(), tmp_path / "r")
    table = rows(tmp_path / "r")
    assert conductor.complete
    assert len(table) == 12
    assert set(table["status"]) == {"done", "stopped"}
    assert table.query("status == 'done'")["epoch"].eq(6).all()
    assert table.query("status == 'stopped'")["epoch"].lt(6).all()


@pytest.mark.parametrize("stop_after", [0, 1, 5, 6, 7, 13, 20, 31])
def test_a_crash_at_any_moment_changes_nothing_in_the_end(tmp_path, stop_after):
    whole = simulate(space(), tmp_path / "whole")
    simulate(space(), tmp_path / "crashed", stop_after=stop_after)
    resumed = simulate(space(), tmp_path / "crashed")
    pd.testing.assert_frame_equal(rows(tmp_path / "crashed"), rows(tmp_path / "whole"))
    assert resumed._scheduler.rungs == whole._scheduler.rungs


def cut_before(path, *marks):
    """Leave the run as it would be had its process died before the first event with such marks."""
    folder = RunFolder(path)
    lines = folder.events.read_text().splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if all(mark in line for mark in marks))
    folder.events.write_text("".join(lines[:first]))
    folder.trials.unlink()
    folder.epochs.unlink()


def test_a_crash_between_an_epoch_and_its_decision_is_made_good(tmp_path):
    whole = simulate(space(), tmp_path / "r")
    stopped = next(t for t in whole.trials.values() if t.status == "stopped")
    cut_before(tmp_path / "r", '"end"', stopped.name)
    again = simulate(space(), tmp_path / "r")
    assert again.trials[stopped.name].epochs == stopped.epochs
    assert again.trials[stopped.name].status == "stopped"
    assert again.complete


def test_the_study_says_what_the_store_says(tmp_path):
    simulate(space(), tmp_path / "r")
    table, trials = rows(tmp_path / "r"), study_of(tmp_path / "r").trials
    states = {"done": TrialState.COMPLETE, "stopped": TrialState.PRUNED}
    assert [t.state for t in trials] == [states[s] for s in table["status"]]
    for trial, (_, row) in zip(trials, table.iterrows(), strict=True):
        assert trial.params == {p: row[p] for p in ("sam.rho", "saner.alpha")}
        assert trial.value == row["val_accuracy_last"]
        assert list(trial.intermediate_values) == [2 * e for e in range(1, row["epoch"] + 1)]


def test_a_rebuilt_study_equals_the_one_that_watched(tmp_path):
    simulate(space(), tmp_path / "r")
    watched = study_of(tmp_path / "r").trials
    simulate(space(), tmp_path / "r")
    for ours, theirs in zip(study_of(tmp_path / "r").trials, watched, strict=True):
        assert (ours.state, ours.value, ours.params) == (theirs.state, theirs.value, theirs.params)
        assert ours.intermediate_values == theirs.intermediate_values


def test_a_damaged_journal_is_no_loss(tmp_path):
    simulate(space(), tmp_path / "r", stop_after=20)
    (tmp_path / "r" / "study.journal").write_text("{nonsense")
    assert simulate(space(), tmp_path / "r").complete


def test_baselines_run_to_their_end_at_equal_compute_and_outside_the_study(tmp_path):
    simulate(
        space(baselines=[{"method": "sgd"}]),
        tmp_path / "r",
        lambda t, e: -1.0 if t.origin == "baseline" else peak(t, e),
    )
    table = rows(tmp_path / "r")
    first = table.iloc[0]
    assert (first["origin"], first["status"]) == ("baseline", "done")
    assert (first["epoch"], first["gradient_evaluations"]) == (12, 12)
    assert len(study_of(tmp_path / "r").trials) == len(table) - 1


def test_a_bootstrap_trial_runs_all_its_rounds(tmp_path):
    search = {"method": {"choice": ["sgd", "bootstrap_sgd"]}}
    train = {"data": {"dataset": "digits"}, "epochs": 3}
    changes = {"search": search, "train": train, "budget": {"trials": 4, "scheduler": "none"}}
    whole = simulate(space(**changes), tmp_path / "whole")
    simulate(space(**changes), tmp_path / "crashed", stop_after=4)
    simulate(space(**changes), tmp_path / "crashed")
    table = rows(tmp_path / "whole")
    assert set(table["method"]) == {"sgd", "bootstrap_sgd"}
    assert table["epoch"].eq(6).all()
    epochs = {t.values["method"]: t.config["epochs"] for t in whole.trials.values()}
    assert epochs == {"sgd": 6, "bootstrap_sgd": 3}
    pd.testing.assert_frame_equal(rows(tmp_path / "crashed"), table)


def test_known_points_come_first(tmp_path):
    known = [{"sam.rho": 0.1, "saner.alpha": 0.5}, {"sam.rho": 0.2, "saner.alpha": 1.0}]
    simulate(space(known=known), tmp_path / "r")
    table = rows(tmp_path / "r")
    assert list(table["origin"][:3]) == ["known", "known", "sampled"]
    assert table[["sam.rho", "saner.alpha"]].head(2).to_dict("records") == known


SECONDS = {"trials": 12, "unit": "seconds", "max": 3.0, "grace": 1.0, "reduction": 2}


def slow_and_fast(**budget):
    """SAM's epochs take 0.6 s and SGD's 0.3 s."""
    train = {"data": {"dataset": "digits"}, "epochs": 8}
    search = {
        "method": {"choice": ["sgd", "sam"]},
        "sam.rho": {"log_uniform": [0.01, 1.0], "when": {"method": "sam"}},
    }
    return space(train=train, search=search, budget={**SECONDS, **budget})


def lengths(table):
    """The epochs of each method, which all its trials share."""
    assert table.groupby("method")["epoch"].nunique().eq(1).all()
    return table.groupby("method")["epoch"].first().to_dict()


def test_a_trial_whose_time_is_used_up_is_done(tmp_path):
    conductor = simulate(slow_and_fast(scheduler="none"), tmp_path / "r")
    table = rows(tmp_path / "r")
    assert set(table["status"]) == {"done"}
    assert table.groupby("method")["epoch"].unique().map(list).to_dict() == {
        "sam": [5],
        "sgd": [10],
    }
    epochs = {t.values["method"]: t.config["epochs"] for t in conductor.trials.values()}
    assert epochs == {"sam": 8, "sgd": 16}
    assert all(t.state == TrialState.COMPLETE for t in study_of(tmp_path / "r").trials)


def test_a_trial_that_is_through_before_its_time_is_done(tmp_path):
    simulate(slow_and_fast(scheduler="none", max=100.0), tmp_path / "r")
    table = rows(tmp_path / "r")
    assert table.groupby("method")["epoch"].unique().map(list).to_dict() == {
        "sam": [8],
        "sgd": [16],
    }


def test_rungs_in_seconds_stop_trials_and_steps_are_milliseconds(tmp_path):
    conductor = simulate(slow_and_fast(), tmp_path / "r")
    assert list(conductor._scheduler.rungs) == [1.0, 2.0]
    assert set(rows(tmp_path / "r")["status"]) == {"done", "stopped"}
    for trial, ours in zip(study_of(tmp_path / "r").trials, conductor.trials.values(), strict=True):
        steps = [round(1000 * m["seconds"]) for m in ours.epochs.values()]
        assert list(trial.intermediate_values) == steps


@pytest.mark.parametrize("stop_after", [4, 5, 10, 37])
def test_a_crash_changes_nothing_of_a_search_by_the_clock(tmp_path, stop_after):
    simulate(slow_and_fast(), tmp_path / "whole")
    simulate(slow_and_fast(), tmp_path / "r", stop_after=stop_after)
    simulate(slow_and_fast(), tmp_path / "r")
    pd.testing.assert_frame_equal(rows(tmp_path / "r"), rows(tmp_path / "whole"))


def test_a_crash_between_the_last_second_and_the_end_is_made_good(tmp_path):
    simulate(slow_and_fast(scheduler="none"), tmp_path / "r")
    cut_before(tmp_path / "r", '"end"')
    before = read_trials(RunFolder(tmp_path / "r"))["t0001"].epochs
    again = simulate(slow_and_fast(scheduler="none"), tmp_path / "r")
    assert again.trials["t0001"].epochs == before
    assert again.trials["t0001"].status == "done"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_trial_without_a_finite_objective_fails_and_the_sampler_goes_on(tmp_path, value):
    conductor = simulate(
        space(), tmp_path / "r", lambda t, e: value if t.number == 2 and e == 1 else peak(t, e)
    )
    failed = conductor.trials["t0003"]
    assert (failed.status, failed.error) == ("failed", "val_accuracy is not finite at epoch 1")
    assert conductor.complete
    trials = study_of(tmp_path / "r").trials
    assert trials[2].state == TrialState.FAIL
    assert sum(t.state == TrialState.FAIL for t in trials) == 1


class TestTheFirstTrialsAllFail:
    """With one error: then the search stops, rather than fail the others too."""

    @staticmethod
    def fails(trial, epoch):
        return None

    def test_with_the_same_error_and_the_search_stops_after_three(self, tmp_path):
        conductor = simulate(space(), tmp_path / "r", self.fails)
        assert [t.status for t in conductor.trials.values()] == ["failed"] * 3
        assert conductor.hopeless == "val_accuracy is not finite at epoch 1"
        assert not conductor.complete

    def test_with_different_errors_and_the_search_goes_on(self, tmp_path):
        conductor = simulate(
            space(), tmp_path / "r", lambda t, e: None if e > t.number % 2 else peak(t, e)
        )
        assert conductor.complete
        assert conductor.hopeless is None

    def test_but_an_earlier_one_has_got_somewhere_and_the_search_goes_on(self, tmp_path):
        conductor = simulate(space(), tmp_path / "r", lambda t, e: None if t.number else peak(t, e))
        assert len(conductor.trials) == 12
        assert conductor.hopeless is None

    def test_with_tracebacks_that_end_alike(self, tmp_path):
        searched = space()
        conductor = Conductor(searched, store_at(tmp_path / "r", searched), threads=1)
        for number in range(3):
            trial = conductor.next_trial()
            conductor.end(trial.name, "failed", f"line {number}\nValueError: no such file\n")
        assert conductor.hopeless == "ValueError: no such file"
        assert conductor.next_trial() is None
        conductor.close()

    def test_while_another_trains_and_the_search_goes_on(self, tmp_path):
        searched = space()
        conductor = Conductor(searched, store_at(tmp_path / "r", searched), threads=1)
        trains = conductor.next_trial()
        conductor.on_epoch(trains.name, 1, {"val_accuracy": 0.5, "gradient_evaluations": 2})
        for _ in range(4):
            conductor.end(conductor.next_trial().name, "failed", "the same")
        assert conductor.hopeless is None
        conductor.close()

    def test_until_one_that_ran_beside_them_gets_somewhere(self, tmp_path):
        searched = space()
        conductor = Conductor(searched, store_at(tmp_path / "r", searched), threads=1)
        first, *others = [conductor.next_trial() for _ in range(4)]
        for trial in others:
            conductor.end(trial.name, "failed", "the same")
        assert conductor.next_trial() is None
        conductor.on_epoch(first.name, 1, {"val_accuracy": 0.5, "gradient_evaluations": 2})
        assert conductor.next_trial() is not None
        conductor.close()

    def test_and_a_resume_stops_at_the_next_failure_or_completes_once_mended(self, tmp_path):
        simulate(space(), tmp_path / "r", self.fails)
        again = simulate(space(), tmp_path / "r", self.fails)
        assert len(again.trials) == 4
        assert again.hopeless is not None
        store = store_at(tmp_path / "r", space())
        store.retry_failed()
        store.close()
        assert simulate(space(), tmp_path / "r").complete


def test_a_grid_runs_each_point_once_and_stops_by_itself(tmp_path):
    grid = {"sam.rho": {"grid": [0.1, 0.5]}, "saner.alpha": {"grid": [0.0, 0.5, 1.0]}}
    gridded = space(search=grid, searcher={"name": "grid"}, budget={"trials": 50})
    conductor = simulate(gridded, tmp_path / "r")
    assert conductor.complete
    assert conductor.progress.total == 6
    points = rows(tmp_path / "r")[["sam.rho", "saner.alpha"]]
    assert len(points) == len(points.drop_duplicates()) == 6


def test_conditional_dimensions_are_drawn_only_where_they_hold(tmp_path):
    search = {
        "method": {"choice": ["sgd", "sam", "saner"]},
        "sam.rho": {"log_uniform": [0.01, 1.0], "when": {"method": ["sam", "saner"]}},
        "saner.alpha": {"uniform": [0.0, 1.0], "when": {"method": "saner"}},
    }
    train = {"data": {"dataset": "digits"}, "epochs": 6}
    simulate(space(search=search, train=train, budget={"trials": 30}), tmp_path / "r")
    table = rows(tmp_path / "r")
    assert set(table["method"]) == {"sgd", "sam", "saner"}
    assert (table["sam.rho"].isna() == (table["method"] == "sgd")).all()
    assert (table["saner.alpha"].isna() == (table["method"] != "saner")).all()
    full = table[table["status"] == "done"]
    assert full["gradient_evaluations"].eq(12).all()


def test_extending_a_run_adds_trials_and_keeps_the_rest(tmp_path):
    simulate(space(), tmp_path / "r")
    before = read_trials(RunFolder(tmp_path / "r"))
    longer = space(budget={"trials": 15, "scheduler": "asha", "grace": 2, "reduction": 2})
    simulate(longer, tmp_path / "r")
    after = read_trials(RunFolder(tmp_path / "r"))
    assert len(after) == 15
    assert {name: after[name] for name in before} == before


def test_the_sampler_learns(tmp_path):
    searched = space(budget={"trials": 40, "scheduler": "none"})
    simulate(searched, tmp_path / "r")
    table = rows(tmp_path / "r")
    assert table["objective"].tail(20).mean() > table["objective"].head(10).mean() + 0.05
