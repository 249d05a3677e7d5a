"""Small spaces, and random draws from a space by the plainest reading of its dimensions."""

import math
import random
from typing import Any

import pytest

from tune_robust.errors import ConfigError
from tune_robust.spaces.distributions import Choice, Grid, Int, LogInt, LogUniform, Uniform
from tune_robust.spaces.space import Space, parse_space


def make_space(*overrides: str, **changes: Any) -> Space:
    """A valid space; ``changes`` replace its sections, ``overrides`` are given as by ``--set``."""
    return parse_space(document(**changes), source="it", overrides=overrides)


def document(**changes: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "train": {"method": "saner", "epochs": 10},
        "search": {
            "sam.rho": {"log_uniform": [0.01, 1.0]},
            "saner.alpha": {"uniform": [0.0, 1.0]},
        },
        "budget": {"trials": 4},
        **changes,
    }


def problems(*overrides: str, **changes: Any) -> dict[str, str]:
    """The problems of a space that must not load: message by path."""
    with pytest.raises(ConfigError) as refused:
        make_space(*overrides, **changes)
    found = {problem.path: problem.message for problem in refused.value.problems}
    assert len(found) == len(refused.value.problems), "a path was reported twice"
    return found


def draw(space: Space, rng: random.Random) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for dimension in space.dimensions:
        if dimension.active(values):
            assert dimension.path not in values
            values[dimension.path] = _draw(dimension.distribution, rng)
    return values


def _draw(distribution: Any, rng: random.Random) -> Any:
    match distribution:
        case Uniform(low=low, high=high):
            return rng.uniform(low, high)
        case LogUniform(low=low, high=high):
            return min(high, max(low, math.exp(rng.uniform(math.log(low), math.log(high)))))
        case Int(low=low, high=high) | LogInt(low=low, high=high):
            return rng.randint(low, high)
        case Choice(values=values) | Grid(values=values):
            return rng.choice(values)
