"""Everything that a space can draw is valid, or the space is refused with the reason."""

import pytest

from tests.tuning.drawing import make_space, problems
from tune_robust.spaces.draws import grid_points

METHODS = {"choice": ["sgd", "sam", "saner"]}


@pytest.mark.parametrize(
    ("path", "given", "message"),
    [
        ("sam.rho", {"uniform": [-1, 1]}, "found -1.0; expected greater than or equal to 0"),
        ("saner.alpha", {"uniform": [0, 3]}, "found 3.0; expected less than or equal to 2"),
        ("saner.k", {"uniform": [0, 7]}, "expected a valid integer"),
        ("optimizer.name", {"choice": ["sgd", "adam"]}, "found 'adam'; allowed: sgd, adamw"),
        ("sam.rho_schedule", {"choice": ["constant", "step_dcay"]}, "Did you mean 'step_decay'?"),
        ("sam", {"choice": ["on"]}, "found 'on'; expected a mapping"),
    ],
)
def test_values_are_checked_against_the_config(path, given, message):
    train = {"method": "saner", "optimizer": {"name": "sgd"}}
    assert message in problems(train=train, search={path: given})[f"search.{path}"]


def test_a_setting_of_another_branch_is_refused():
    train = {"method": "saner", "optimizer": {"name": "sgd"}}
    found = problems(train=train, search={"optimizer.beta1": {"uniform": [0, 0.9]}})
    assert "there is no such key. Allowed: lr, momentum" in found["search.optimizer.beta1"]


def test_a_kind_and_its_own_settings_can_be_searched_together():
    search = {
        "sam.rho_schedule": {"choice": ["constant", "step_decay"]},
        "sam.rho_schedule.factor": {
            "uniform": [0.1, 0.9],
            "when": {"sam.rho_schedule": "step_decay"},
        },
    }
    values = {"sam.rho_schedule.factor": 0.5, "sam.rho_schedule": "step_decay"}
    assert make_space(search=search).config_for(values).sam.rho_schedule.factor == 0.5


def test_an_unconditional_rho_would_turn_sgd_into_sam():
    found = problems(search={"method": METHODS, "sam.rho": {"uniform": [0.1, 1]}})
    assert found == {
        "search.sam.rho": "method can be sgd, without sam, and this would add it. "
        "Add when: {method: [sam, saner]}"
    }


def test_a_condition_on_another_dimension_covers_its_own():
    search = {
        "method": METHODS,
        "saner.alpha": {"uniform": [0, 1], "when": {"method": "saner"}},
        "saner.k": {"int": [0, 9], "when": {"saner.alpha": {"below": 1}}},
    }
    assert len(make_space(search=search).dimensions) == 3
    search["saner.k"]["when"] = {"method": {"not": "sgd"}}
    assert "method can be sam, without saner" in problems(search=search)["search.saner.k"]


@pytest.mark.parametrize("method", ["sgd", None])
def test_a_fixed_method_without_the_part_is_refused(method):
    found = problems(train={"method": method}, search={"sam.rho": {"uniform": [0.1, 1]}})
    assert "Set train.method to one that has it (sam, asam, saner" in found["search.sam.rho"]


def test_a_part_added_in_the_open_may_be_searched_for_every_method():
    train = {"sals": {}}
    search = {
        "method": {"choice": ["sgd", "sam"]},
        "sals.alpha": {"uniform": [0, 1]},
    }
    space = make_space(train=train, search=search)
    assert space.config_for({"method": "sgd", "sals.alpha": 0.3}).sals.alpha == 0.3


def test_values_that_do_not_go_together_are_refused():
    search = {"method": {"choice": ["sgd", "slaw"]}}
    found = problems(train={"label_smoothing": 0.1}, search=search)
    assert "method: slaw" in found["search"]
    assert "leave label_smoothing at 0" in found["search"]
    search = {"sals.eps_min": {"uniform": [0, 0.2]}, "sals.eps_max": {"uniform": [0.1, 0.3]}}
    found = problems(train={"method": "slaw"}, search=search)
    assert any("eps_min 0.2 is above eps_max 0.1" in message for message in found.values())


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ({"methd": "sam"}, "when: methd: there is no such setting. Did you mean 'method'?"),
        ({"method": {"is": "sam"}}, "when: method: there is no condition 'is'"),
        ("sam", "found when: 'sam'; expected conditions"),
    ],
)
def test_a_condition_that_cannot_be_read_is_refused(when, message):
    search = {"method": METHODS, "sam.rho": {"uniform": [0, 1], "when": when}}
    assert message in problems(search=search)["search.sam.rho"]


def test_a_condition_on_a_value_that_there_is_not_is_refused():
    search = {"method": METHODS, "sam.rho": {"uniform": [0, 1], "when": {"method": ["samm"]}}}
    found = problems(search=search)
    assert "Did you mean 'sam'?" in found["search.sam.rho.when.method"]


def test_a_condition_on_what_follows_from_the_method_is_refused():
    rho = {"uniform": [0, 1], "when": {"sam.adaptive": "asam_by_name"}}
    found = problems(search={"method": METHODS, "sam.rho": rho})
    assert "it follows from method" in found["search.sam.rho.when.sam.adaptive"]


def test_a_condition_may_name_a_value_that_needs_others_where_it_is_searched():
    noise = {
        "data.noise.kind": {"choice": ["none", "human"]},
        "data.noise.file": {"choice": ["a.pt"], "when": {"data.noise.kind": "human"}},
        "data.noise.key": {
            "choice": ["aggre_label", "worse_label"],
            "when": {"data.noise.kind": "human"},
        },
        "sam.rho": {"grid": [0.1, 0.2], "when": {"data.noise.key": "worse_label"}},
    }
    budget = {"trials": 4, "scheduler": "none"}
    space = make_space(search=noise, searcher={"name": "grid"}, budget=budget)
    assert len(grid_points(space.dimensions)) == 4
    noise["sam.rho"]["when"] = {"data.noise.key": "worst_label"}
    found = problems(search=noise, searcher={"name": "grid"}, budget=budget)
    assert "search.sam.rho.when.data.noise.key" in found


def test_dimensions_that_can_never_be_drawn_are_left_out():
    search = {
        "method": {"choice": ["sgd", "sam"]},
        "sam.rho": {"uniform": [0, 1], "when": {"method": ["sam", "saner"]}},
        "saner.alpha": {"uniform": [0, 1], "when": {"method": "saner"}},
        "saner.k": {"int": [0, 9], "when": {"saner.alpha": {"below": 1}}},
    }
    assert [d.path for d in make_space(search=search).dimensions] == ["method", "sam.rho"]
    alone = {"saner.alpha": {"uniform": [0, 1], "when": {"method": "sam"}}}
    assert problems(search=alone) == {
        "search": "no condition can be met, so no dimension is searched"
    }


def test_baselines_are_configs_too():
    found = problems(
        baselines=[
            {"method": "sgdd"},
            {"sam.roh": 1},
            {"epochs": 3},
            {"method": "sgd", "saner.alpha": 1},
        ]
    )
    assert "Did you mean 'sgd'?" in found["baselines.0.method"]
    assert "Did you mean 'sam.rho'?" in found["baselines.1.sam.roh"]
    assert "the budget sets" in found["baselines.2.epochs"]
    assert "saner needs sam" in found["baselines.3"]


@pytest.mark.parametrize(
    ("search", "path", "remedy"),
    [
        ({"loss.name": {"choice": ["ce", "gce"]}}, "search.loss.name", "train.loss: {name: ce}"),
        ({"loss.q": {"uniform": [0.1, 1.0]}}, "search.loss.q", "train.loss: {name: ce}"),
        (
            {"bootstrap_rounds": {"int": [1, 3]}},
            "search.bootstrap_rounds",
            "train.bootstrap_rounds: 1",
        ),
    ],
)
def test_parts_that_have_a_default_are_not_said_to_be_lacking(search, path, remedy):
    found = problems(search=search, train={"method": "sgd", "epochs": 10})
    assert set(found) == {path}
    assert "the method 'sgd' leaves" in found[path]
    assert remedy in found[path]


def test_the_default_given_in_the_open_lets_it_vary():
    rounds = {"bootstrap_rounds": {"int": [1, 3]}}
    make_space(search=rounds, train={"method": "sgd", "epochs": 10, "bootstrap_rounds": 1})
    losses = {"loss.name": {"choice": ["ce", "gce"]}}
    make_space(search=losses, train={"method": "sgd", "epochs": 10, "loss": {"name": "ce"}})
