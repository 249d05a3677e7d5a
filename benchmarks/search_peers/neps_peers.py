"""NePS's searchers; import this in its own environment only."""

from __future__ import annotations

import logging
import random
from typing import Any

import neps
import numpy as np
import torch
from neps.optimizers import algorithms
from neps.space import (
    HPOCategorical,
    HPOFloat,
    HPOInteger,
    SearchSpace,
)
from table import Decision, Dimension, Table

logging.disable(logging.WARNING)

KINDS = {
    "neps_async_hyperband": algorithms.async_hb,
    "neps_hyperband": algorithms.hyperband,
    "neps_priorband": algorithms.priorband,
}
_BUDGET = "budget"


class Neps:
    """One of its searchers; its spaces have no conditions, so that all settings are active."""

    def __init__(self, kind: str, table: Table, seed: int):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        self._searcher = neps.AskAndTell(KINDS[kind](_space(table)))
        self._dimensions, self._steps = table.dimensions, table.steps
        self._numbers: dict[str, int] = {}
        self._running: dict[int, Any] = {}

    def next(self, trial: int) -> int | dict[str, Any] | None:
        """As in ``Peer``."""
        asked = self._searcher.ask()
        before = asked.metadata.previous_trial_id
        number = trial if before is None else self._numbers[before]
        self._numbers[asked.metadata.id], self._running[number] = number, asked
        return number if before is not None else self._settings(asked.config)

    def placed(self, trial: int, settings: dict[str, Any]) -> None:
        """Do nothing: it models its own proposals."""

    def report(self, trial: int, step: int, value: float) -> Decision:
        """As in ``Peer``."""
        asked = self._running[trial]
        if step < asked.config[_BUDGET]:
            return "go on"
        self._searcher.tell(self._running.pop(trial).metadata.id, -value)
        return "stop" if step == self._steps else "pause"

    def _settings(self, config: dict[str, Any]) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        for dim in self._dimensions:
            if dim.active(settings):
                settings[dim.name] = config[dim.name]
        return settings


def _space(table: Table) -> SearchSpace:
    space = {dim.name: _parameter(dim) for dim in table.dimensions}
    space[_BUDGET] = HPOInteger(table.grace, table.steps, is_fidelity=True)
    return SearchSpace(space)


def _parameter(dim: Dimension) -> Any:
    if dim.kind == "choice":
        return HPOCategorical(dim.values)
    log = dim.kind.startswith("log")
    if dim.kind.endswith("int"):
        return HPOInteger(int(dim.low), int(dim.high), log=log)
    return HPOFloat(dim.low, dim.high, log=log)
