"""Earlier runs' trials: which are taken, what the sampler makes of them, what the run keeps."""

import json
import math
import shutil

import optuna
import pandas as pd
import pytest

from tests.tuning.simulated import peak, simulate, space
from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials
from tune_robust.runs.store import RunStore
from tune_robust.tuning.engine.conductor import objective_of
from tune_robust.tuning.strategy.warm_start import WarmStart, harvest

ALPHA = {"saner.alpha": {"uniform": [0.0, 1.0]}}


def rows(path):
    return pd.read_parquet(path / "trials.parquet").drop(columns=["checkpoint"])


def gather(searched, *paths):
    return harvest(searched, objective_of(searched), [RunFolder(path) for path in paths])


def create(searched, path, *earlier):
    taken = gather(searched, *earlier).warm_start.model_dump(mode="json")
    RunStore.create(RunFolder(path), {"space": searched.document(), "warm_start": taken}).close()


def study_of(path):
    backend = optuna.storages.journal.JournalFileBackend(str(path / "study.journal"))
    storage = optuna.storages.JournalStorage(backend)
    return optuna.load_study(study_name="simulated", storage=storage)


@pytest.fixture
def first(tmp_path):
    simulate(
        space(baselines=[{"method": "sgd"}]),
        tmp_path / "first",
        lambda trial, epoch: math.nan if trial.number == 3 else peak(trial, epoch),
    )
    return tmp_path / "first"


def test_ended_trials_of_the_same_space_are_taken_and_the_rest_is_accounted_for(first):
    found = gather(space(), first)
    table = rows(first)
    taken = found.warm_start.trials
    own = table[(table["status"] != "failed") & (table["origin"] != "baseline")]
    assert [t.trial for t in taken] == list(own["trial"])
    assert [t.values["sam.rho"] for t in taken] == list(own["sam.rho"])
    assert [t.value for t in taken] == list(own["objective"])
    (line,) = found.summary
    assert line.startswith(f"{first}: 10 trials taken, 2 skipped: ")
    assert "1 x failed" in line
    assert "1 x sam.rho outside log_uniform [0.01, 1]" in line


def test_values_outside_the_space_are_skipped(first):
    narrow = space(search={**ALPHA, "sam.rho": {"log_uniform": [0.1, 0.5]}})
    taken = gather(narrow, first).warm_start.trials
    assert 0 < len(taken) < 10
    assert all(0.1 <= t.values["sam.rho"] <= 0.5 for t in taken)


def test_a_dimension_that_was_fixed_there_has_the_value_it_had(tmp_path):
    fixed = {"data": {"dataset": "digits"}, "method": "saner", "epochs": 6, "sam": {"rho": 0.2}}
    simulate(space(search=ALPHA, train=fixed), tmp_path / "first")
    taken = gather(space(), tmp_path / "first").warm_start.trials
    assert len(taken) == 12
    assert {t.values["sam.rho"] for t in taken} == {0.2}


def test_what_was_searched_there_must_have_the_value_that_it_has_here(tmp_path):
    widths = {**ALPHA, "saner.k": {"choice": [10, 50]}}
    simulate(space(search=widths, budget={"trials": 20}), tmp_path / "first")
    table = rows(tmp_path / "first")
    found = gather(space(search=ALPHA), tmp_path / "first")  # k is 50 unless it is given
    assert [t.trial for t in found.warm_start.trials] == list(table[table["saner.k"] == 50].trial)
    assert "saner.k differs and is not searched here" in found.summary[0]


def test_another_method_is_another_trial(tmp_path):
    train = {"data": {"dataset": "digits"}, "epochs": 6}
    search = {"sam.rho": {"log_uniform": [0.01, 1.0]}}
    simulate(space(search=search, train={**train, "method": "asam"}), tmp_path / "first")
    found = gather(space(search=search, train={**train, "method": "sam"}), tmp_path / "first")
    with pytest.raises(UserError, match="12 x method differs"):
        _ = found.warm_start


def test_trials_that_have_not_ended_are_left_out(tmp_path):
    simulate(space(), tmp_path / "first", stop_after=8)
    found = gather(space(), tmp_path / "first")
    *ended, last = read_trials(RunFolder(tmp_path / "first")).values()
    assert last.status == "interrupted"
    assert [t.trial for t in found.warm_start.trials] == [t.name for t in ended]
    assert "1 x not ended" in found.summary[0]


def test_a_run_given_twice_counts_once(first):
    assert gather(space(), first, first).warm_start == gather(space(), first).warm_start


def test_another_metric_is_refused(first):
    other = space(objective={"metric": "val_loss"})
    with pytest.raises(
        UserError, match="it optimised val_accuracy, this search optimises val_loss"
    ):
        gather(other, first)


@pytest.mark.parametrize("name", ["qmc", "random"])
def test_a_searcher_that_does_not_learn_is_refused(first, name):
    with pytest.raises(UserError, match=f"the searcher is {name}, which does not learn"):
        gather(space(searcher={"name": name}), first)


@pytest.fixture
def finished(tmp_path):
    """A run without a stopped trial: gp learns from finished ones alone, ten or more."""
    simulate(space(budget={"trials": 12, "scheduler": "none"}), tmp_path / "finished")
    return tmp_path / "finished"


def short(name, **changes):
    return space(searcher={"name": name}, budget={"trials": 5, "grace": 2}, **changes)


@pytest.mark.parametrize("name", ["tpe", "gp", "cmaes"])
class TestEveryLearningSampler:
    def test_the_earlier_trials_change_what_is_proposed_but_are_not_the_runs_own(
        self, tmp_path, finished, name
    ):
        searched = short(name)
        create(searched, tmp_path / "warm", finished)
        simulate(searched, tmp_path / "warm")
        simulate(searched, tmp_path / "cold")
        warm, cold = rows(tmp_path / "warm"), rows(tmp_path / "cold")
        assert len(warm) == len(cold) == 5
        assert list(warm["sam.rho"]) != list(cold["sam.rho"])
        study = study_of(tmp_path / "warm").trials
        assert [("warm_start" in t.user_attrs) for t in study] == [True] * 12 + [False] * 5
        assert [t.params["sam.rho"] for t in study[12:]] == list(warm["sam.rho"])
        assert [t.value for t in study[12:]] == list(warm["objective"])

    @pytest.mark.slow
    @pytest.mark.parametrize("stop_after", [0, 8, 13])
    def test_a_crash_changes_nothing_although_the_earlier_run_is_gone(
        self, tmp_path, finished, name, stop_after
    ):
        searched = short(name, known=[{"sam.rho": 0.1, "saner.alpha": 0.5}])
        create(searched, tmp_path / "whole", finished)
        create(searched, tmp_path / "r", finished)
        shutil.rmtree(finished)
        simulate(searched, tmp_path / "whole")
        simulate(searched, tmp_path / "r", stop_after=stop_after)
        assert len(rows(tmp_path / "r")) < 5
        simulate(searched, tmp_path / "r")
        pd.testing.assert_frame_equal(rows(tmp_path / "r"), rows(tmp_path / "whole"))


def test_run_json_has_the_runs_and_all_that_was_taken(tmp_path, first):
    create(space(), tmp_path / "r", first)
    recorded = json.loads((tmp_path / "r" / "run.json").read_text())["warm_start"]
    assert recorded["runs"] == [str(first)]
    assert WarmStart.of({"warm_start": recorded}) == gather(space(), first).warm_start
