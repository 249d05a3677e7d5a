"""TPE whose proposals do not become slower in searches of thousands of trials."""

from __future__ import annotations

import heapq
from collections.abc import Container
from typing import Any, cast

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

LIMIT = 512
"""Ended trials that the sampler takes into account."""

_BEST = 25
"""The most trials that Optuna's TPE counts among the good ones."""

_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


class BoundedTpe(TPESampler):
    """Optuna's TPE on at most LIMIT of the ended trials, chosen for each proposal.

    The best ones, from which TPE models good configurations, are always among them. The others, of
    which it models the density, are taken evenly over the course of the search. Up to LIMIT ended
    trials, and with several objectives, it proposes exactly what Optuna's TPE does.
    """

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the dimensions of the trials that are taken into account."""
        self._bounded = _bounded(study)
        return super().infer_relative_search_space(self._bounded, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the values of the dimensions that are drawn together."""
        return super().sample_relative(self._bounded, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return the value of a dimension that no trial has had yet."""
        return super().sample_independent(self._bounded, trial, param_name, param_distribution)


def _bounded(study: optuna.Study) -> Any:
    """Return ``study`` or, if it has more than LIMIT ended trials, a part of it."""
    trials = study._get_trials(deepcopy=False, states=(*_ENDED, TrialState.RUNNING))
    ended = [trial for trial in trials if trial.state != TrialState.RUNNING]
    if len(ended) <= LIMIT or len(study.directions) > 1:
        return study
    numbers = {trial.number for trial in _best(study, ended)}
    others = [trial.number for trial in ended if trial.number not in numbers]
    places = np.linspace(0, len(others) - 1, LIMIT - len(numbers)).round().astype(int)
    numbers |= {others[place] for place in places}
    numbers |= {trial.number for trial in trials if trial.state == TrialState.RUNNING}
    return _Part(study, [trial for trial in trials if trial.number in numbers])


def _best(study: optuna.Study, ended: list[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that Optuna's TPE ranks first: complete ones, then those pruned last."""
    sign = 1 if study.direction == StudyDirection.MINIMIZE else -1
    complete = [trial for trial in ended if trial.state == TrialState.COMPLETE]
    best = heapq.nsmallest(_BEST, complete, key=lambda trial: sign * cast(float, trial.value))
    pruned = (trial for trial in ended if trial.state == TrialState.PRUNED)
    return best + heapq.nsmallest(_BEST - len(best), pruned, key=lambda t: _pruned_rank(t, sign))


def _pruned_rank(trial: FrozenTrial, sign: int) -> tuple[float, float]:
    """Return how far a trial has come, negated, and its value there; the lowest is the best."""
    if not trial.intermediate_values:
        return 1.0, 0.0
    step, value = max(trial.intermediate_values.items())
    return -step, sign * value


class _Part:
    """A study in which only some of the trials are seen."""

    def __init__(self, study: optuna.Study, trials: list[FrozenTrial]):
        self._study, self._trials = study, trials

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        return [trial for trial in self._trials if states is None or trial.state in states]
