"""``--set path=value``."""

import pytest

from tests.tuning.drawing import make_space, problems
from tune_robust.errors import ConfigError, UserError
from tune_robust.spaces.overrides import apply_overrides
from tune_robust.spaces.space import load_space


def test_a_plain_document_is_changed_in_a_copy():
    document = {"data": {"noise": {"kind": "symmetric", "rate": 0.5}}, "epochs": 3}
    changed = apply_overrides(document, ["data.noise.rate=0.2", "optimizer={name: adamw}"])
    assert changed["data"]["noise"] == {"kind": "symmetric", "rate": 0.2}
    assert changed["optimizer"] == {"name": "adamw"}
    assert document == {"data": {"noise": {"kind": "symmetric", "rate": 0.5}}, "epochs": 3}


@pytest.mark.parametrize("override", ["epochs", "=3", "a..b=3", "epochs=[1", ""])
def test_what_is_no_override_is_refused(override):
    with pytest.raises(ConfigError):
        apply_overrides({}, [override])


def test_sections_of_a_space_are_set():
    space = make_space(
        "train.epochs=2",
        "train.data.dataset=parquet",
        "train.optimizer={name: adamw, lr: 5e-4}",
        "budget.trials=16",
        "search.sam.rho={log_uniform: [0.1, 2]}",
        "searcher.seed=3",
        "name=mine",
    )
    config = space.config_for({})
    assert (config.epochs, config.data.dataset, config.optimizer.lr) == (2, "parquet", 5e-4)
    assert (space.budget.trials, space.searcher.seed, space.name) == (16, 3, "mine")
    assert space.dimensions[0].distribution.document() == {"log_uniform": [0.1, 2.0]}


def test_the_later_override_wins():
    assert make_space("train.epochs=2", "train.epochs=3").config_for({}).epochs == 3


def test_null_removes_a_dimension_and_train_fixes_it():
    space = make_space("search.sam.rho=null", "train.sam.rho=0.3")
    assert [d.path for d in space.dimensions] == ["saner.alpha"]
    assert space.config_for({}).sam.rho == 0.3


def test_wrong_overrides_are_reported_like_any_other_problem():
    found = problems(
        "train.epoch=2",
        "train.data.dataset=mnist",
        "budgett.trials=3",
        "search.sam.roh={uniform: [0, 1]}",
        "search.saner.k=null",
        "frob",
        "train.x=[1",
    )
    assert "Did you mean 'epochs'?" in found["train.epoch"]
    assert "found 'mnist'; allowed: digits" in found["train.data.dataset"]
    assert "Did you mean 'budget.trials'?" in found["budgett.trials"]
    assert "Did you mean 'sam.rho'?" in found["search.sam.roh"]
    assert "it is not searched, so it cannot be removed" in found["search.saner.k"]
    assert "expected path=value" in found["--set frob"]
    assert "expected ',' or ']'" in found["--set train.x=[1"]
    assert len(found) == 7


def test_a_fixed_value_under_search_is_sent_to_train():
    assert "set train.sam.rho" in problems("search.sam.rho=0.3")["search.sam.rho"]


def test_a_train_value_that_the_search_would_replace_is_refused():
    assert "--set search.sam.rho=null" in problems("train.sam.rho=0.3")["train.sam.rho"]


def test_fixing_the_method_decides_the_conditions_on_it():
    search = {
        "method": {"choice": ["sgd", "sam", "saner"]},
        "sam.rho": {"uniform": [0.1, 1], "when": {"method": ["sam", "saner"]}},
        "saner.k": {"int": [0, 9], "when": {"method": "saner"}},
    }
    space = make_space("search.method=null", "train.method=sam", search=search)
    assert [(d.name, d.when) for d in space.dimensions] == [("sam.rho", None)]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("epochs", "train.epochs"),
        ("sam.rho", "train.sam.rho"),
        ("lr", "train.optimizer.lr"),
        ("trials", "budget.trials"),
        ("concurrency", "resources.concurrency"),
        ("train_epochs", "train.epochs"),
    ],
)
def test_a_path_outside_the_sections_is_led_to_its_place(path, meant):
    with pytest.raises(UserError, match=f"{path}: a space has no such section. Did you mean"):
        load_space("saner_digits", overrides=[f"{path}=3"])
    with pytest.raises(UserError, match=repr(meant)):
        load_space("saner_digits", overrides={path: 3})
