"""Syne Tune's schedulers; import this in its own environment only."""

from __future__ import annotations

import datetime
import logging
from typing import Any

import numpy as np
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import choice, lograndint, loguniform, randint, uniform
from syne_tune.optimizer.baselines import ASHA, MOBSTER, BayesianOptimization, DyHPO
from table import Decision, Dimension, Table

logging.disable(logging.WARNING)

KINDS = {
    "syne_tune_asha": ASHA,
    "syne_tune_mobster": MOBSTER,
    "syne_tune_dyhpo": DyHPO,
    "syne_tune_bo": BayesianOptimization,
}
_RANGES = {"uniform": uniform, "log_uniform": loguniform, "int": randint, "log_int": lograndint}


class SyneTune:
    """One of its schedulers, with the first rung at a third of a trial, as ours."""

    def __init__(self, kind: str, table: Table, seed: int):
        np.random.seed(seed)
        space = {dim.name: _domain(dim) for dim in table.dimensions}
        options: dict[str, Any] = {"metric": "value", "mode": "max", "random_seed": seed}
        options["search_options"] = {"debug_log": False}
        if kind != "syne_tune_bo":
            options |= {"resource_attr": "step", "max_t": table.steps}
            options |= {"grace_period": table.grace, "reduction_factor": 3}
        self._scheduler = KINDS[kind](space, **options)
        self._steps = table.steps
        self._trials: dict[int, Trial] = {}

    def next(self, trial: int) -> int | dict[str, Any] | None:
        """As in ``Peer``."""
        suggestion = self._scheduler.suggest(trial)
        if suggestion is None:
            return None
        if not suggestion.spawn_new_trial_id:
            return suggestion.checkpoint_trial_id
        self._trials[trial] = Trial(trial, suggestion.config, datetime.datetime.now())
        self._scheduler.on_trial_add(self._trials[trial])
        return dict(suggestion.config)

    def placed(self, trial: int, settings: dict[str, Any]) -> None:
        """Do nothing: a scheduler has no way to learn other settings than it proposed."""

    def report(self, trial: int, step: int, value: float) -> Decision:
        """As in ``Peer``."""
        result = {"value": value, "step": step}
        if step == self._steps:
            self._scheduler.on_trial_complete(self._trials[trial], result)
            return "stop"
        decision = self._scheduler.on_trial_result(self._trials[trial], result)
        if decision == "STOP":
            self._scheduler.on_trial_remove(self._trials[trial])
        return {"CONTINUE": "go on", "STOP": "stop", "PAUSE": "pause"}[decision]


def _domain(dim: Dimension) -> Any:
    if dim.kind == "choice":
        return choice(dim.values)
    return _RANGES[dim.kind](dim.low, dim.high)
