"""A space of a loop of the user's own: what it names are the loop's settings."""

import pytest

from tests.loops.parts import SPACE
from tune_robust.api.spaces import load_space
from tune_robust.errors import ConfigError
from tune_robust.spaces.objective import is_finished
from tune_robust.spaces.space import Space


def space(**changes):
    return load_space(SPACE | changes)


def test_what_is_searched_reaches_the_loop():
    found = space(
        train={"loop": "my_loop:train", "epochs": 8, "width": 4, "optimizer": {"name": "own"}},
        search={
            "rate": {"log_uniform": [0.01, 1.0]},
            "optimizer.lr": {"uniform": [0, 1], "when": {"batch_size": 8}},
            "batch_size": {"choice": [8, 16]},
        },
        baselines=[{"rate": 0.1}],
        known=[{"rate": 0.2, "batch_size": 16}],
    )
    values = {"loop.rate": 0.3, "loop.batch_size": 8, "loop.optimizer.lr": 0.5}
    config = found.config_for(values)
    expected = {"width": 4, "optimizer": {"name": "own", "lr": 0.5}, "rate": 0.3, "batch_size": 8}
    assert config.loop.arguments == expected
    assert (config.epochs, found.own_parts) == (8, ("my_loop:train",))
    assert found.baselines == ({"loop.rate": 0.1},)
    assert Space.from_document(found.document()) == found


def test_overrides_name_settings_as_the_space_does():
    settings = {"train.width": 9, "search.rate": None, "search.depth": {"int": [1, 3]}}
    found = load_space(SPACE, settings=settings)
    assert [d.path for d in found.dimensions] == ["loop.depth"]
    assert found.config_for({"loop.depth": 2}).loop.arguments == {"width": 9, "depth": 2}


def test_a_trial_is_over_by_its_reports_or_by_its_cost():
    found = space()
    assert (found.max_resource, found.trials) == (16, 6)
    assert not is_finished(found, 3, 8, 6)
    assert is_finished(found, 3, 8, 16)
    assert is_finished(found, 8, 8, 8)
    unbounded = space(budget={"trials": 6})
    assert unbounded.max_resource == 8
    assert not is_finished(unbounded, 3, 8, 99)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train": {"loop": "my_loop:train"}}, r"train.epochs: is required beside loop"),
        ({"train": {"loop": "my_loop", "epochs": 3}}, r"expected module:attribute"),
        ({"objective": {"metric": "distance"}}, r"objective.mode: is required for distance"),
        ({"objective": {"metric": "test_accuracy"}}, r"must not be used for selection"),
    ],
)
def test_what_a_space_of_a_loop_lacks_is_said(changes, said):
    with pytest.raises(ConfigError, match=said):
        space(**changes)
