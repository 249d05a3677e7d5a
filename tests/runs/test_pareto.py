"""The Pareto front, against the plainest reading of its definition, and what a space may weigh."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tuning.drawing import make_space, problems
from tests.tuning.simulated import simulate, trading
from tune_robust.metrics import DIAGNOSTIC
from tune_robust.runs.pareto import axes_of, pareto_front
from tune_robust.runs.trial import Trial

coarse = st.integers(0, 4).map(float)
points = st.lists(st.tuples(coarse, coarse, coarse), max_size=20)
WEIGHED = {"metric": "val_accuracy", "against": ["gradient_evaluations", "images_per_second"]}
NSGA2 = {
    "budget": {"trials": 20, "scheduler": "none"},
    "searcher": {"name": "nsga2"},
    "objective": WEIGHED,
}


def finished(values):
    """A finished trial for each (accuracy, cost, speed)."""
    names = ("val_accuracy", "gradient_evaluations", "images_per_second")
    return [
        Trial(
            f"t{i:04d}",
            "sampled",
            {},
            {},
            status="done",
            epochs={1: dict(zip(names, v, strict=True))},
        )
        for i, v in enumerate(values, 1)
    ]


def beats(a, b):
    """Accuracy and speed are better when larger, cost when smaller."""
    no_worse = a[0] >= b[0] and a[1] <= b[1] and a[2] >= b[2]
    return no_worse and a != b


@given(points)
def test_the_front_are_those_that_none_beats_best_first(values):
    front = pareto_front(finished(values), make_space(**NSGA2))
    expected = {v for v in values if not any(beats(other, v) for other in values)}
    found = [tuple(trial.last.values()) for trial in front]
    assert set(found) == expected
    assert len(found) == len(expected)
    assert all(a[0] >= b[0] for a, b in itertools.pairwise(found))


@given(points)
def test_it_can_be_kept_one_by_one(values):
    space, kept = make_space(**NSGA2), []
    for trial in finished(values):
        kept = pareto_front([*kept, trial], space)
    assert {t.name for t in kept} == {t.name for t in pareto_front(finished(values), space)}


def test_only_finished_trials_count():
    trials = finished([(1.0, 1.0, 1.0), (2.0, 0.0, 2.0)])
    trials[1].status = "failed"
    assert pareto_front(trials, make_space(**NSGA2)) == trials[:1]


def test_each_metric_has_its_natural_direction():
    axes = axes_of(make_space(**NSGA2))
    assert [axis.mode for axis in axes] == ["max", "min", "max"]


def test_longer_trials_are_on_the_front_only_if_better(tmp_path):
    searched = trading()
    longer_is_better = simulate(searched, tmp_path / "r", lambda t, e: e - t.values["sam.rho"])
    trials = longer_is_better.trials.values()
    front = pareto_front(trials, searched)
    costs = [trial.last["gradient_evaluations"] for trial in front]
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) == len(costs) > 2


# --- what a space may ask for ---------------------------------------------------------------------


def test_nsga2_needs_something_to_weigh_against():
    found = problems(**{**NSGA2, "objective": {"metric": "val_accuracy"}})
    assert "against: [gradient_evaluations]" in found["objective.against"]


@pytest.mark.parametrize("name", ["tpe", "random", "gp"])
def test_other_searchers_have_one_objective(name):
    found = problems(objective=WEIGHED, searcher={"name": name})["objective.against"]
    assert f"as {name} has one objective" in found


@pytest.mark.parametrize("scheduler", ["asha", "median"])
def test_nsga2_stops_nothing_early(scheduler):
    found = problems(**{**NSGA2, "budget": {"trials": 9, "scheduler": scheduler}})
    assert f"found {scheduler}; expected none" in found["budget.scheduler"]


@pytest.mark.parametrize("metric", sorted(DIAGNOSTIC))
def test_diagnostic_metrics_are_refused(metric):
    found = problems(**{**NSGA2, "objective": {"metric": "val_accuracy", "against": [metric]}})
    assert "must not be used for selection" in " ".join(found.values())


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ({"against": ["gradient_evaluation"]}, "Did you mean 'gradient_evaluations'?"),
        ({"against": ["val_accuracy"]}, "val_accuracy is given twice"),
        ({"against": ["seconds", "seconds"]}, "seconds is given twice"),
        ({"against": ["seconds"], "at": "best"}, "expected at: last"),
    ],
)
def test_what_cannot_be_weighed_is_refused(objective, message):
    found = problems(**{**NSGA2, "objective": {"metric": "val_accuracy", **objective}})
    assert message in " ".join(found.values())


# --- searched epochs ------------------------------------------------------------------------------

EPOCHS = {"method": {"choice": ["sgd", "sam"]}, "epochs": {"log_int": [5, 40]}}


def test_drawn_epochs_are_used_as_they_are():
    space = make_space(search=EPOCHS)
    assert space.max_resource == 80
    for method, epochs in itertools.product(["sgd", "sam"], [5, 17, 40]):
        assert space.config_for({"method": method, "epochs": epochs}).epochs == epochs


def test_the_budget_caps_drawn_epochs():
    space = make_space(search=EPOCHS, budget={"trials": 4, "max": 30})
    assert space.config_for({"method": "sgd", "epochs": 40}).epochs == 30
    assert space.config_for({"method": "sam", "epochs": 40}).epochs == 15
    assert space.config_for({"method": "sam", "epochs": 5}).epochs == 5


def test_a_baseline_has_all_the_compute_unless_it_says_less():
    space = make_space(search=EPOCHS, baselines=[{"method": "sgd"}, {"epochs": 7}])
    assert [space.config_for(baseline).epochs for baseline in space.baselines] == [80, 7]


def test_a_baseline_has_no_epochs_of_its_own_where_the_budget_sets_them():
    assert "budget sets" in problems(baselines=[{"epochs": 7}])["baselines.0.epochs"]
