"""What every sampler must do, and what each is for."""

import math

import numpy as np
import pandas as pd
import pytest

from tests.tuning.simulated import peak, simulate, space, study_of, trading
from tune_robust.errors import ConfigError
from tune_robust.runs.pareto import pareto_front
from tune_robust.spaces.unit_cube import to_unit
from tune_robust.tuning.strategy.samplers import SAMPLERS

RANGES = {
    "sam.rho": {"log_uniform": [0.01, 1.0]},
    "saner.alpha": {"uniform": [0.0, 1.0]},
    "saner.k": {"int": [0, 9]},
    "batch_size": {"log_int": [8, 64]},
}
LISTS = {
    "sam.rho": {"grid": [0.05, 0.1, 0.3, 0.9]},
    "saner.alpha": {"choice": [0.0, 0.25, 0.5, 0.75, 1.0]},
}
KNOWN = {"sam.rho": 0.1, "saner.alpha": 0.5}
STOPPING = {"trials": 20, "scheduler": "asha", "grace": 2, "reduction": 2}


def searched_by(name, **changes):
    search = LISTS if name == "grid" else RANGES
    known = KNOWN if name == "grid" else {**KNOWN, "saner.k": 3, "batch_size": 16}
    given = {"search": search, "known": [known], "budget": STOPPING, **changes}
    if name == "nsga2":
        given["budget"] = {**given["budget"], "scheduler": "none"}
        given["objective"] = {"metric": "val_accuracy", "against": ["val_loss"]}
    return space(**given, searcher={"name": name, "seed": 3})


def rows(path):
    return pd.read_parquet(path / "trials.parquet").drop(columns=["checkpoint"])


def proposals(path):
    table = rows(path)
    return table[[p for p in RANGES if p in table]]


def with_a_failure(trial, epoch):
    """Two trials fail at their second epoch; no scheduler stops them at the first one."""
    if trial.number not in (4, 13):
        return peak(trial, epoch)
    return math.nan if epoch == 2 else 2.0


def fails_at_either_epoch(trial, epoch):
    """Every trial fails, at its first or its second epoch: with one error a search would stop.

    Each has the best score so far until it fails, so that no scheduler stops it before.
    """
    return math.nan if epoch > trial.number % 2 else float(trial.number)


@pytest.mark.parametrize("name", SAMPLERS)
class TestEverySampler:
    def test_proposes_values_of_the_space_alone(self, tmp_path, name):
        searched = searched_by(name)
        conductor = simulate(searched, tmp_path / "r")
        assert conductor.complete
        assert len(conductor.trials) == 20
        for trial in conductor.trials.values():
            assert set(trial.values) == {d.path for d in searched.dimensions}
            for dim in searched.dimensions:
                assert dim.distribution.contains(trial.values[dim.path])

    def test_proposes_the_same_again_under_the_same_seed(self, tmp_path, name):
        simulate(searched_by(name), tmp_path / "a")
        simulate(searched_by(name), tmp_path / "b")
        pd.testing.assert_frame_equal(rows(tmp_path / "a"), rows(tmp_path / "b"))

    @pytest.mark.slow
    @pytest.mark.parametrize(("scheduler", "stop_after"), [("asha", 3), ("asha", 40), ("none", 70)])
    def test_a_crash_changes_nothing(self, tmp_path, name, scheduler, stop_after):
        # 14 trials without a scheduler: enough ended ones for gp to have left its random start.
        trials = 20 if scheduler == "asha" else 14
        budget = {**STOPPING, "trials": trials, "scheduler": scheduler}
        searched = searched_by(name, budget=budget)
        simulate(searched, tmp_path / "whole", with_a_failure)
        simulate(searched, tmp_path / "r", with_a_failure, stop_after=stop_after)
        assert len(rows(tmp_path / "r")) < trials
        simulate(searched, tmp_path / "r", with_a_failure)
        pd.testing.assert_frame_equal(rows(tmp_path / "r"), rows(tmp_path / "whole"))

    def test_failed_and_stopped_trials_do_not_disturb_it(self, tmp_path, name):
        conductor = simulate(searched_by(name), tmp_path / "r", with_a_failure)
        statuses = [t.status for t in conductor.trials.values()]
        assert conductor.complete
        assert (len(statuses), statuses.count("failed")) == (20, 2)
        assert set(statuses) == {"done", "failed"} | ({"stopped"} if name != "nsga2" else set())

    def test_all_trials_failing_is_survived(self, tmp_path, name):
        conductor = simulate(searched_by(name), tmp_path / "r", fails_at_either_epoch)
        assert [t.status for t in conductor.trials.values()] == ["failed"] * 20
        assert conductor.complete

    def test_all_trials_failing_alike_stops_the_search(self, tmp_path, name):
        conductor = simulate(searched_by(name), tmp_path / "r", lambda trial, epoch: math.nan)
        assert [t.status for t in conductor.trials.values()] == ["failed"] * 3
        assert conductor.hopeless == "val_accuracy is not finite at epoch 1"

    def test_known_points_come_first(self, tmp_path, name):
        simulate(searched_by(name), tmp_path / "r")
        table = rows(tmp_path / "r")
        assert list(table["origin"][:2]) == ["known", "sampled"]
        assert dict(table.loc[0, list(KNOWN)]) == KNOWN

    def test_no_point_is_drawn_twice(self, tmp_path, name):
        simulate(searched_by(name), tmp_path / "r")
        sampled = proposals(tmp_path / "r").iloc[1:]
        assert len(sampled.drop_duplicates()) == len(sampled)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tpe", "gp", "gp_mf", "cmaes"])
def test_a_model_gets_better_than_chance(tmp_path, name):
    two = {path: RANGES[path] for path in KNOWN}
    budget = {"trials": 30, "scheduler": "none"}

    def curve(trial, epoch):
        rho = math.log10(trial.values["sam.rho"])
        return -((rho + 0.3) ** 2) - (trial.values["saner.alpha"] - 0.8) ** 2

    def mean_of_last(name):
        searched = space(search=two, budget=budget, searcher={"name": name})
        simulate(searched, tmp_path / name, curve)
        return rows(tmp_path / name)["objective"].tail(10).mean()

    assert mean_of_last(name) > 0.7 * mean_of_last("random")  # both below zero


@pytest.mark.parametrize("name", ["tpe", "gp", "gp_mf", "cmaes", "qmc", "random"])
def test_one_dimension_is_enough(tmp_path, name):
    one = {"sam.rho": RANGES["sam.rho"]}
    budget = {"trials": 13, "scheduler": "none"}
    simulate(space(search=one, budget=budget, searcher={"name": name}), tmp_path / "r")
    assert proposals(tmp_path / "r")["sam.rho"].between(0.01, 1.0).all()


class TestNsgaTwo:
    def test_it_gets_better_than_chance(self, tmp_path):
        def losses(searched, path):
            conductor = simulate(searched, path, lambda trial, epoch: trial.values["sam.rho"])
            last = list(conductor.trials.values())[-20:]
            return sum(trial.values["saner.alpha"] for trial in last) / len(last)

        two = {path: RANGES[path] for path in KNOWN}
        given = {"search": two, "budget": {"trials": 80, "scheduler": "none"}}
        chance = losses(space(**given, searcher={"name": "random"}), tmp_path / "random")
        against = {"objective": {"metric": "val_accuracy", "against": ["val_loss"]}}
        evolved = space(**given, **against, searcher={"name": "nsga2"})
        assert losses(evolved, tmp_path / "nsga2") < 0.85 * chance

    def test_children_inherit_the_values_of_the_best_before_them(self, tmp_path):
        searched = trading()
        trials = list(simulate(searched, tmp_path / "r").trials.values())
        first, children = trials[:10], trials[10:20]
        parents = {trial.values["sam.rho"] for trial in first}
        inherited = [t.values["sam.rho"] for t in children if t.values["sam.rho"] in parents]
        front = [trial.values["sam.rho"] for trial in pareto_front(first, searched)]
        assert len(inherited) >= 3
        assert set(front) & set(inherited)

    def test_startup_is_the_size_of_a_generation(self, tmp_path):
        tables = []
        for startup in (4, 8):
            searcher = {"name": "nsga2", "startup": startup}
            simulate(trading(searcher=searcher), tmp_path / str(startup))
            tables.append(rows(tmp_path / str(startup))["sam.rho"])
        assert tables[0].head(4).equals(tables[1].head(4))
        assert not tables[0][4:8].equals(tables[1][4:8])

    def test_its_study_says_what_the_store_says_and_is_rebuilt(self, tmp_path):
        trials = list(simulate(trading(), tmp_path / "r").trials.values())
        expected = [[t.last["val_accuracy"], t.last["gradient_evaluations"]] for t in trials]
        assert [t.values for t in study_of(tmp_path / "r").trials] == expected
        simulate(trading(), tmp_path / "r")
        assert [t.values for t in study_of(tmp_path / "r").trials] == expected

    def test_a_trial_without_one_of_the_objectives_fails(self, tmp_path):
        weighed = {"metric": "val_accuracy", "against": ["sharpness"]}
        trials = simulate(trading(objective=weighed), tmp_path / "r").trials.values()
        assert {t.error for t in trials} == {"sharpness is not finite at epoch 1"}


class TestQmc:
    def test_successive_trials_take_successive_points_of_one_sequence(self, tmp_path):
        from scipy.stats import qmc

        searched = searched_by("qmc", baselines=[{"method": "sgd"}])
        trials = list(simulate(searched, tmp_path / "r").trials.values())
        sequence = qmc.Sobol(4, scramble=True, seed=3).random(32)
        assert [t.origin for t in trials[:3]] == ["baseline", "known", "sampled"]
        for trial, point in zip(trials[2:], sequence, strict=False):
            for dim, unit in zip(searched.dimensions, point, strict=True):
                if dim.path in KNOWN:
                    there = to_unit(dim.distribution, trial.values[dim.path])
                    assert there == pytest.approx(unit)

    def test_it_covers_each_range_evenly(self, tmp_path):
        two = {path: RANGES[path] for path in KNOWN}
        budget = {"trials": 16, "scheduler": "none"}
        simulate(space(search=two, budget=budget, searcher={"name": "qmc"}), tmp_path / "r")
        alpha = proposals(tmp_path / "r")["saner.alpha"]
        assert sorted((alpha * 16).astype(int)) == list(range(16))

    def test_conditional_ranges_are_covered_evenly_too(self, tmp_path):
        search = {**CONDITIONAL, "optimizer.lr": {"log_uniform": [0.01, 1.0]}}
        sgd = {"name": "sgd"}
        train = {"data": {"dataset": "digits"}, "epochs": 6, "optimizer": sgd}
        budget = {"trials": 32, "scheduler": "none"}
        searched = space(search=search, train=train, budget=budget, searcher={"name": "qmc"})
        simulate(searched, tmp_path / "r")
        table = rows(tmp_path / "r")
        assert table["method"].value_counts().to_dict() == {"sgd": 16, "saner": 16}
        rho = to_cells(table["sam.rho"].dropna(), 0.01, 1.0, 4)
        assert rho.value_counts().between(2, 6).all()
        assert len(rho.unique()) == 4

    def test_a_resumed_search_goes_on_with_the_sequence(self, tmp_path):
        train = {"data": {"dataset": "digits"}, "epochs": 6}
        given = {"search": CONDITIONAL, "train": train, "searcher": {"name": "qmc"}}
        searched = space(**given, budget={"trials": 12, "scheduler": "none"})
        simulate(searched, tmp_path / "whole")
        simulate(searched, tmp_path / "cut", stop_after=20)
        simulate(searched, tmp_path / "cut")
        assert rows(tmp_path / "cut")["sam.rho"].equals(rows(tmp_path / "whole")["sam.rho"])


def to_cells(values, low, high, cells):
    """In which of so many equal cells of a logarithmic range each value lies."""
    return (np.log(values / low) / np.log(high / low) * cells).astype(int)


class TestCmaEs:
    def test_it_sets_out_from_the_best_known_point(self, tmp_path):
        corner = {"sam.rho": 0.9, "saner.alpha": 0.95}
        two = {path: RANGES[path] for path in KNOWN}
        searched = space(
            search=two,
            known=[{"sam.rho": 0.02, "saner.alpha": 0.05}, corner],
            budget={"trials": 6, "scheduler": "none"},
            searcher={"name": "cmaes"},
        )
        simulate(searched, tmp_path / "r", lambda trial, epoch: trial.values["saner.alpha"])
        assert proposals(tmp_path / "r")["saner.alpha"].iloc[2:].min() > 0.4


CONDITIONAL = {
    "method": {"choice": ["sgd", "saner"]},
    "sam.rho": {"log_uniform": [0.01, 1.0], "when": {"method": "saner"}},
}


def refusals(name, search):
    with pytest.raises(ConfigError) as caught:
        space(search=search, train={"data": {"dataset": "digits"}}, searcher={"name": name})
    return [p.message for p in caught.value.problems if p.path == "searcher.name"]


@pytest.mark.parametrize("name", ["gp", "cmaes", "nsga2"])
def test_conditions_are_refused_where_they_would_be_ignored(name):
    message = refusals(name, CONDITIONAL)[0]
    assert message.startswith(f"found {name}")
    assert "draw sam.rho at random" in message
    assert "Choose tpe, gp_mf, qmc, random or grid" in message


@pytest.mark.parametrize("name", ["tpe", "gp_mf", "qmc", "random"])
def test_conditions_are_taken_elsewhere(tmp_path, name):
    train = {"data": {"dataset": "digits"}, "epochs": 6}
    searched = space(search=CONDITIONAL, train=train, searcher={"name": name})
    simulate(searched, tmp_path / "r")
    table = rows(tmp_path / "r")
    assert (table["sam.rho"].isna() == (table["method"] == "sgd")).all()


def test_cmaes_refuses_lists():
    search = {"optimizer.lr": {"uniform": [0.1, 1]}, "method": {"choice": ["sgd", "swa"]}}
    assert "draw method at random" in refusals("cmaes", search)[0]


@pytest.mark.parametrize("name", ["gp", "gp_mf", "qmc"])
def test_lists_are_taken_by_the_others(tmp_path, name):
    search = {**RANGES, "saner.alpha": {"choice": [0.0, 0.5, 1.0]}, "saner.k": {"grid": [0, 9]}}
    simulate(space(search=search, searcher={"name": name}, budget=STOPPING), tmp_path / "r")
    assert set(proposals(tmp_path / "r")["saner.alpha"]) == {0.0, 0.5, 1.0}


@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_startup_is_how_many_trials_the_model_waits_for(tmp_path, name):
    budget = {"trials": 8, "scheduler": "none"}
    tables = []
    for startup in (4, 10):
        searched = space(budget=budget, searcher={"name": name, "startup": startup})
        simulate(searched, tmp_path / str(startup))
        tables.append(rows(tmp_path / str(startup))["sam.rho"])
    assert tables[0].head(4).equals(tables[1].head(4))
    assert not tables[0].tail(4).equals(tables[1].tail(4))
