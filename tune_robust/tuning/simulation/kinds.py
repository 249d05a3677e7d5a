"""Kinds of trials that take equally long, and random trials of a space."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from tune_robust.config import Model, ModelConfig, TrainConfig
from tune_robust.spaces.draws import grid_points
from tune_robust.spaces.space import Space
from tune_robust.spaces.unit_cube import from_unit

SEARCHES = 10
"""The number of random searches that represent a search."""


class Kind(NamedTuple):
    """The settings that determine the time of an epoch; numbers such as rho do not."""

    method: str | None
    passes: int
    dataset: str
    network: str
    width: float
    batch_size: int
    rounds: int

    @property
    def name(self) -> str:
        """Return a name such as ``sam, resnet18, cifar10``."""
        width = "" if self.width == 1 else f" x{self.width:g}"
        rounds = "" if self.rounds == 1 else f", {self.rounds} rounds"
        return f"{self.method or 'own parts'}, {self.network}{width}, {self.dataset}{rounds}"


def network_name(model: Model) -> str:
    """Its name, and of a network from elsewhere the arguments that decide its structure."""
    if isinstance(model, ModelConfig):
        return model.name
    given = {k: v for k, v in model.arguments.items() if not isinstance(v, float)}
    return " ".join([model.name, *(f"{key}={value}" for key, value in given.items())])


def kind_of(config: TrainConfig) -> Kind:
    """Return the kind of a configuration."""
    return Kind(
        config.method,
        config.passes_per_step,
        config.data.dataset,
        network_name(config.model),
        config.model.width if isinstance(config.model, ModelConfig) else 1.0,
        config.batch_size,
        config.bootstrap_rounds,
    )


def drawn_trials(space: Space, seed: int) -> Iterator[tuple[bool, TrainConfig]]:
    """Yield the trials of a random search: whether each is a baseline, and its configuration.

    Baselines and known points come first, then the points of a grid in their order, or random
    draws. (gp_mf tries some known points later, which changes no trial's cost.)
    """
    rng = random.Random(seed)
    planned = [(True, values) for values in space.baselines]
    planned += [(False, values) for values in space.known]
    if space.searcher.name == "grid":
        planned += [(False, values) for values in grid_points(space.dimensions)]
    for number in range(space.trials):
        baseline, values = planned[number] if number < len(planned) else (False, _draw(space, rng))
        yield baseline, space.config_for(values)


def kinds_of(space: Space) -> dict[Kind, TrainConfig]:
    """Return a configuration of each kind among the trials of ``SEARCHES`` random searches."""
    found: dict[Kind, TrainConfig] = {}
    for seed in range(SEARCHES):
        for _, config in drawn_trials(space, seed):
            found.setdefault(kind_of(config), config)
    return found


def _draw(space: Space, rng: random.Random) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for dim in space.dimensions:
        if dim.active(values):
            values[dim.path] = from_unit(dim.distribution, rng.random())
    return values
