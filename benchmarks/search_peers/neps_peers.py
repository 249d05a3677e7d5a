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
        self._running: dict[int, list[Any]] = {}

    def next(self, trial: int) -> int | dict[str, Any] | None:
        """As in ``Peer``.

        It may promote a trial that is still on its way to the rung below. Such a trial does not
        pause there, and this worker takes the next proposal.
        """
        while True:
            asked = self._searcher.ask()
            before = asked.metadata.previous_trial_id
            number = trial if before is None else self._numbers[before]
            self._numbers[asked.metadata.id] = number
            self._running.setdefault(number, []).append(asked)
            if before is None:
                return self._settings(asked.config)
            if len(self._running[number]) == 1:
                return number

    def placed(self, trial: int, settings: dict[str, Any]) -> None:
        """Do nothing: it models its own proposals."""

    def report(self, trial: int, step: int, value: float) -> Decision:
        """As in ``Peer``."""
        asked, *later = self._running[trial]
        if step < asked.config[_BUDGET]:
            return "go on"
        self._searcher.tell(asked.metadata.id, -value)
        self._running[trial] = later
        if step == self._steps:
            return "stop"
        return "go on" if later else "pause"

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
