"""SMAC3's multi-fidelity search; import this in its own environment only."""

from __future__ import annotations

import logging
import tempfile
from typing import Any

from ConfigSpace import (
    AndConjunction,
    Categorical,
    ConfigurationSpace,
    Float,
    InCondition,
    Integer,
)
from smac import MultiFidelityFacade, Scenario
from smac.runhistory import TrialInfo, TrialValue
from table import Decision, Dimension, Table

logging.disable(logging.WARNING)

KINDS = ("smac_hyperband",)


class Smac:
    """Its random forest with Hyperband, with the first rung at a third of a trial."""

    def __init__(self, kind: str, table: Table, seed: int):
        self._folder = tempfile.TemporaryDirectory()
        self._scenario = Scenario(
            _space(table.dimensions, seed),
            deterministic=True,
            n_trials=10**6,
            min_budget=table.grace,
            max_budget=table.steps,
            seed=seed,
            output_directory=self._folder.name,
        )
        facade = MultiFidelityFacade
        # As for a budget of all recorded trials; a scenario of so few would refuse to go on.
        first = min(10 * len(table.dimensions), len(table.trials) // 4)
        self._smac = facade(
            self._scenario,
            _unused,
            initial_design=facade.get_initial_design(self._scenario, n_configs=first),
            intensifier=facade.get_intensifier(self._scenario, eta=3),
            overwrite=True,
            logging_level=False,
        )
        self._steps = table.steps
        self._known: dict[Any, int] = {}
        self._running: dict[int, TrialInfo] = {}

    def next(self, trial: int) -> int | dict[str, Any] | None:
        """As in ``Peer``."""
        info = self._smac.ask()
        if (known := self._known.get(info.config)) is not None:
            self._running[known] = info
            return known
        self._known[info.config], self._running[trial] = trial, info
        # Its settings are NumPy's: these are not equal to those of the table's choices.
        return {name: getattr(v, "item", lambda v=v: v)() for name, v in dict(info.config).items()}

    def placed(self, trial: int, settings: dict[str, Any]) -> None:
        """Do nothing: it models its own proposals."""

    def report(self, trial: int, step: int, value: float) -> Decision:
        """As in ``Peer``."""
        info = self._running[trial]
        if step < round(info.budget):
            return "go on"
        self._smac.tell(self._running.pop(trial), TrialValue(cost=-value))
        return "stop" if step == self._steps else "pause"


def _unused(config: Any, seed: int = 0, budget: float = 0.0) -> float:
    raise RuntimeError("trials are asked for and told")


def _space(dimensions: list[Dimension], seed: int) -> ConfigurationSpace:
    space = ConfigurationSpace(seed=seed)
    for dim in dimensions:
        space.add(_parameter(dim))
    for dim in dimensions:
        child = space[dim.name]
        given = [InCondition(child, space[name], allowed) for name, allowed in dim.when.items()]
        if given:
            space.add(given[0] if len(given) == 1 else AndConjunction(*given))
    return space


def _parameter(dim: Dimension) -> Any:
    if dim.kind == "choice":
        return Categorical(dim.name, dim.values)
    log = dim.kind.startswith("log")
    if dim.kind.endswith("int"):
        return Integer(dim.name, (int(dim.low), int(dim.high)), log=log)
    return Float(dim.name, (dim.low, dim.high), log=log)
