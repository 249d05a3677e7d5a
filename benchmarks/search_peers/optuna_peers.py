"""Optuna's samplers and pruners."""

from __future__ import annotations

import warnings
from typing import Any

import optuna
from table import Decision, Dimension, Table

optuna.logging.set_verbosity(optuna.logging.ERROR)

KINDS = (
    "optuna_random",
    "optuna_random_halving",
    "optuna_tpe",
    "optuna_gp",
    "optuna_median",
    "optuna_median_own_grace",
    "optuna_hyperband",
    "optuna_hyperband_own_grace",
)


class Optuna:
    """A study; proposals are of grouped TPE unless its kind names another sampler.

    No trial is pruned before a third of its steps, except for ``own_grace``: the pruner's default.
    """

    def __init__(self, kind: str, table: Table, seed: int):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler, pruner = _sampler(kind, seed), _pruner(kind, table)
        # Hyperband assigns the brackets by the study's name, which would differ each time.
        self._study = optuna.create_study(
            study_name=f"seed {seed}", direction="maximize", sampler=sampler, pruner=pruner
        )
        self._dimensions, self._steps = table.dimensions, table.steps
        self._trials: dict[int, optuna.Trial] = {}

    def next(self, trial: int) -> int | dict[str, Any] | None:
        """As in ``Peer``."""
        self._proposed = self._study.ask()
        return self._settings(self._proposed)

    def placed(self, trial: int, settings: dict[str, Any]) -> None:
        """Let a trial with the recorded settings take the proposal's place."""
        self._study.tell(self._proposed, state=optuna.trial.TrialState.FAIL)
        self._study.enqueue_trial(settings)
        self._trials[trial] = self._study.ask()
        self._settings(self._trials[trial])

    def report(self, trial: int, step: int, value: float) -> Decision:
        """As in ``Peer``."""
        asked = self._trials[trial]
        asked.report(value, step)
        if step == self._steps:
            self._study.tell(asked, value)
            return "stop"
        if asked.should_prune():
            self._study.tell(asked, state=optuna.trial.TrialState.PRUNED)
            return "stop"
        return "go on"

    def _settings(self, trial: optuna.Trial) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        for dim in self._dimensions:
            if dim.active(settings):
                settings[dim.name] = _drawn(trial, dim)
        return settings


def _sampler(kind: str, seed: int) -> optuna.samplers.BaseSampler:
    if "random" in kind:
        return optuna.samplers.RandomSampler(seed=seed)
    if kind == "optuna_gp":
        return optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False)
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)


def _pruner(kind: str, table: Table) -> optuna.pruners.BasePruner:
    match kind:
        case "optuna_hyperband":
            return optuna.pruners.HyperbandPruner(table.grace, table.steps, 3)
        case "optuna_hyperband_own_grace":
            return optuna.pruners.HyperbandPruner()
        case "optuna_median":
            return optuna.pruners.MedianPruner(n_warmup_steps=table.grace)
        case "optuna_median_own_grace":
            return optuna.pruners.MedianPruner()
        case "optuna_random_halving":
            return optuna.pruners.SuccessiveHalvingPruner(table.grace, 3)
    return optuna.pruners.NopPruner()


def _drawn(trial: optuna.Trial, dim: Dimension) -> Any:
    if dim.kind == "choice":
        return trial.suggest_categorical(dim.name, dim.values)
    log = dim.kind.startswith("log")
    if dim.kind.endswith("int"):
        return trial.suggest_int(dim.name, int(dim.low), int(dim.high), log=log)
    return trial.suggest_float(dim.name, dim.low, dim.high, log=log)
