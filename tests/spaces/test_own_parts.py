"""Own parts in a search space: their arguments are searched like any other setting."""

import pytest

from tests.own.parts import CONFIG
from tune_robust.errors import ConfigError
from tune_robust.spaces.space import Space


def space(search, **train):
    document = {
        "name": "own",
        "train": {**CONFIG, "epochs": 2, **train},
        "search": search,
        "budget": {"trials": 4, "scheduler": "none"},
    }
    return Space.from_document(document)


def test_arguments_are_dimensions_and_reach_the_configuration():
    found = space(
        {
            "model.depth": {"int": [1, 3]},
            "loss.gamma": {"uniform": [0.0, 5.0]},
            "optimizer.weight_decay": {"choice": [0.0, 0.1]},
            "data.augment.strength": {"uniform": [0.0, 1.0]},
        }
    )
    drawn = {"model.depth": 3, "loss.gamma": 0.5, "optimizer.weight_decay": 0.1}
    config = found.config_for(drawn | {"data.augment.strength": 0.25})
    assert config.model.arguments == {"depth": 3}
    assert config.loss.arguments == {"gamma": 0.5}
    assert config.optimizer.arguments == {"weight_decay": 0.1, "lr": 0.01}
    assert config.data.augment.arguments == {"strength": 0.25}
    assert Space.from_document(found.document()) == found


def test_own_parts_are_among_the_choices_of_a_name():
    search = {
        "model.name": {"choice": ["small_cnn", "my_nets:Tiny"]},
        "model.depth": {"int": [1, 3], "when": {"model.name": "my_nets:Tiny"}},
        "loss.name": {"choice": ["my_losses:focal", "my_losses:other"]},
    }
    found = space(search, model={"name": "small_cnn"}, loss={"name": "my_losses:focal"})
    assert {"my_nets:Tiny", "my_losses:other", "my_losses:focal"} <= {*found.own_parts}
    own = found.config_for({"model.name": "my_nets:Tiny", "model.depth": 2})
    assert own.model.arguments == {"depth": 2}
    assert found.config_for({"model.name": "small_cnn"}).model.width == 1


def test_an_argument_of_a_built_in_part_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"no such key. Did you mean 'width'\?"):
        space({"model.widht": {"uniform": [0.5, 1.0]}}, model={"name": "small_cnn"})


def test_options_of_the_data_cannot_differ_between_trials_of_a_search():
    with pytest.raises(ConfigError, match="all trials share one data set"):
        space({"data.options.n": {"int": [100, 200]}})
