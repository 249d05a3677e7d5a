"""Dimensions: their order, their names, when they are drawn."""

import pytest

from tests.tuning.drawing import make_space, problems
from tune_robust.spaces.draws import grid_points

SAM_OR_ASAM = {
    "sam.rho": [
        {"log_uniform": [0.01, 1], "when": {"method": ["sam", "saner"]}},
        {"log_uniform": [0.1, 10], "when": {"method": "asam"}},
    ],
    "saner.k": {"int": [0, 10], "when": {"saner.alpha": {"below": 1}}},
    "saner.alpha": {"uniform": [0, 1], "when": {"method": "saner"}},
    "method": {"choice": ["sgd", "sam", "asam", "saner"]},
}


def test_each_comes_after_those_its_condition_names():
    names = [d.name for d in make_space(search=SAM_OR_ASAM).dimensions]
    assert names == [
        *("method", "sam.rho[method=sam|saner]", "sam.rho[method=asam]", "saner.alpha", "saner.k")
    ]


def test_a_dimension_is_drawn_when_all_its_conditions_hold():
    space = make_space(search=SAM_OR_ASAM)
    by_name = {d.name: d for d in space.dimensions}
    assert by_name["method"].active({})
    assert by_name["sam.rho[method=asam]"].active({"method": "asam"})
    assert not by_name["sam.rho[method=asam]"].active({"method": "sam"})
    assert not by_name["saner.k"].active({"method": "sam"})
    assert by_name["saner.k"].active({"method": "saner", "saner.alpha": 0.5})
    assert not by_name["saner.k"].active({"method": "saner", "saner.alpha": 1.0})


def test_conditions_in_a_circle_are_refused():
    search = {
        "sam.rho": {"uniform": [0.1, 1], "when": {"saner.alpha": {"below": 0.5}}},
        "saner.alpha": {"uniform": [0, 1], "when": {"sam.rho": {"below": 0.5}}},
    }
    assert problems(search=search) == {
        "search": "the conditions of sam.rho and saner.alpha depend on each other: remove one"
        " of them"
    }


def test_alternatives_that_hold_at_once_are_refused():
    rho = [{"uniform": [0, 1]}, {"uniform": [1, 2]}]
    assert "can hold at once" in problems(search={"sam.rho": rho})["search.sam.rho"]
    search = {
        "saner.alpha": {"uniform": [0, 1]},
        "sam.rho": [
            {"uniform": [0, 1], "when": {"saner.alpha": {"below": 0.5}}},
            {"uniform": [1, 2], "when": {"saner.alpha": {"above": 0.4}}},
        ],
    }
    assert "can hold at once" in problems(search=search)["search.sam.rho"]
    search["sam.rho"][1]["when"]["saner.alpha"]["above"] = 0.5
    assert len(make_space(search=search).dimensions) == 3


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("seed", "only a grid repeats its trials"),
        ("threads", "resources.cpus"),
        ("data.seed", "one data set, split and noise draw"),
        ("data.noise.rate", "--set train.data.noise.rate=..."),
    ],
)
def test_what_trials_share_cannot_be_searched(path, reason):
    assert reason in problems(search={path: {"int": [1, 3]}})[f"search.{path}"]


GRID = {
    "train": {"method": "sam", "data": {"dataset": "cifar10"}, "epochs": 10},
    "searcher": {"name": "grid"},
}


def test_a_grid_goes_through_label_sets_too():
    search = {
        "data.noise.kind": {"choice": ["none", "symmetric"]},
        "data.noise.rate": {"grid": [0.2, 0.4], "when": {"data.noise.kind": "symmetric"}},
        "data.dataset": {"choice": ["cifar10", "cifar100"]},
        "data.subset": {"grid": [0.1, 0.5]},
    }
    space = make_space(search=search, budget={"trials": 12, "scheduler": "none"}, **GRID)
    points = grid_points(space.dimensions)
    configs = [space.config_for(point).data for point in points]
    assert len(set(configs)) == len(points) == 2 * 3 * 2
    assert {(c.noise.kind, getattr(c.noise, "rate", 0)) for c in configs} == {
        *(("none", 0), ("symmetric", 0.2), ("symmetric", 0.4))
    }


def test_even_a_grid_keeps_one_split():
    search = {"data.seed": {"grid": [0, 1]}}
    found = problems(search=search, budget={"trials": 2, "scheduler": "none"}, **GRID)
    assert "split and noise draw" in found["search.data.seed"]


def test_nothing_is_stopped_by_what_was_measured_against_other_labels():
    search = {"data.noise": {"choice": ["none"]}, "data.subset": {"grid": [0.1, 0.5]}}
    budget = {"trials": 2, "scheduler": "asha", "sentinels": 1}
    found = problems(search=search, budget=budget, **GRID)
    assert "expected none, as data.noise, data.subset differs" in found["budget.scheduler"]


@pytest.mark.parametrize("section", [None, {}, [], 3])
def test_there_must_be_something_to_search(section):
    assert "expected settings to search" in problems(search=section)["search"]
