"""Proposals: the bridge between a space and an Optuna study.

The study is derived from the run store: opening it rewrites ``study.journal`` from the recorded
trials, so that the sampler knows exactly the content of the store, also after a crash. Stopped
trials are told as PRUNED with their intermediate values, and failed ones as FAIL. The step of a
value is its compute in the budget's unit, so that methods of different cost are compared at equal
compute. A study of several objectives has no intermediate values, which Optuna does not support.
Baselines are outside the space and therefore not in the study; trials of earlier runs come first in
it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from tune_robust.runs.pareto import axes_of, values_of
from tune_robust.runs.trial import REFERENCES, Origin, Trial, name_of
from tune_robust.spaces.dimensions import Dimension
from tune_robust.spaces.distributions import Choice, Grid, Int, LogInt, LogUniform, Uniform
from tune_robust.spaces.draws import grid_points
from tune_robust.spaces.objective import Objective, step_of
from tune_robust.spaces.space import Space
from tune_robust.tuning.strategy.journal import DerivedStorage
from tune_robust.tuning.strategy.known_points import known_point_is_due
from tune_robust.tuning.strategy.multi_fidelity import KNOWN, WARM_START
from tune_robust.tuning.strategy.samplers import REPEATS, build_sampler, optuna_distribution
from tune_robust.tuning.strategy.warm_start import EarlierTrial

optuna.logging.set_verbosity(optuna.logging.WARNING)

_STATES = {"done": TrialState.COMPLETE, "stopped": TrialState.PRUNED, "failed": TrialState.FAIL}


class Study:
    """Asks the sampler for trials and reports their results to it.

    Args:
        space: the dimensions, known points, baselines and searcher.
        objective: the objective of the sampler.
        journal: the path of the Optuna journal to write; None keeps the study in memory.
        trials: the trials of the run so far, in the order of the proposals.
        earlier: trials of other runs, for the sampler to learn from.
    """

    def __init__(
        self,
        space: Space,
        objective: Objective,
        journal: Path | None,
        trials: Iterable[Trial],
        earlier: Sequence[EarlierTrial] = (),
    ):
        self._space, self._objective, self._earlier = space, objective, earlier
        self._axes = axes_of(space)
        self._planned = [*_planned(space)]
        searched = [trial for trial in trials if trial.origin not in REFERENCES]
        self._repeats = sum(trial.repeats is not None for trial in searched)
        self._study = self._open(journal, searched)
        # By number, since Optuna would list all its trials to find one.
        self._ids = [trial._trial_id for trial in self._study.get_trials(deepcopy=False)]

    @property
    def planned(self) -> int:
        """The number of trials that no sampler draws; nothing is repeated before as many."""
        return len(self._planned)

    def ask(
        self, number: int, repeats: Trial | None = None
    ) -> tuple[Origin, dict[str, Any]] | None:
        """Return the origin and the values of trial ``number``; None if a grid is complete.

        They are a function of the space, the seed and the history: the sampler gets a new seed for
        each trial, so that a resumed search proposes the same as an uninterrupted one. A trial that
        ``repeats`` another has its origin and values; samplers learn from both.
        """
        origin: Origin = "sampled"
        if repeats is not None:
            origin = repeats.origin
            self._study.enqueue_trial(params_of(self._space, repeats.values))
        elif (planned := self._next_planned(number)) is not None:
            origin, values = planned
            if origin == "baseline":
                return origin, dict(values)
            self._study.enqueue_trial(params_of(self._space, values))
        elif self._space.searcher.name == "grid":
            return None
        given = len(self._earlier) + len(self._space.known)
        self._study.sampler = build_sampler(self._space, number - self._repeats, given=given)
        asked = self._study.ask()
        asked.set_user_attr("trial", name_of(number))
        if origin == "known":
            asked.set_user_attr(KNOWN, True)
        if repeats is not None:
            asked.set_user_attr(REPEATS, repeats.name)
            self._repeats += 1
        self._ids.append(asked._trial_id)
        return origin, suggested(self._space, asked)

    def add(self, trial: Trial) -> None:
        """Add a trial that continues another one, and was not asked for."""
        self._study.add_trial(self._frozen(trial))
        self._ids.append(self._study.get_trials(deepcopy=False)[-1]._trial_id)

    def report(self, trial: Trial, epoch: int) -> None:
        """Report one epoch of a running trial."""
        if trial.origin in REFERENCES or len(self._axes) > 1:
            return
        step, value = self._intermediate(trial, epoch)
        with warnings.catch_warnings():
            # A trial that continues from a checkpoint reports that epoch again.
            warnings.filterwarnings("ignore", message="The reported value is ignored")
            optuna.Trial(self._study, self._id(trial)).report(value, step)

    def tell(self, trial: Trial) -> None:
        """Report how a trial ended, by its status."""
        if trial.origin in REFERENCES:
            return
        state = _STATES[trial.status]
        values = self._values(trial) if state == TrialState.COMPLETE else None
        self._study.tell(self._number(trial), values, state)

    def _next_planned(self, number: int) -> tuple[Origin, Mapping[str, Any]] | None:
        """Return the origin and the values of trial ``number``; None if the sampler draws it.

        Planned trials come first. The known points of gp_mf only do so while they are good
        (``known_point_is_due``), but all of them are tried by the end.
        """
        baselines = len(self._space.baselines)
        if self._space.searcher.name != "gp_mf" or number < baselines:
            return self._planned[number] if number < len(self._planned) else None
        if not self._space.known:
            return None
        asked = self._study.get_trials(deepcopy=False)
        asked = [trial for trial in asked if REPEATS not in trial.user_attrs]
        tried = sum(KNOWN in trial.user_attrs for trial in asked)
        untried = self._planned[baselines + tried :]
        if not untried:
            return None
        at_the_end = self._space.trials - number <= len(untried)
        return untried[0] if at_the_end or known_point_is_due(self._space, asked) else None

    def _open(self, journal: Path | None, trials: list[Trial]) -> optuna.Study:
        if journal is None:
            return self._filled(InMemoryStorage(), trials)
        aside = journal.with_name(f".{journal.name}.{os.getpid()}")
        aside.unlink(missing_ok=True)
        self._filled(DerivedStorage(aside), trials)
        aside.replace(journal)
        return self._create(DerivedStorage(journal))

    def _filled(self, storage: BaseStorage, trials: list[Trial]) -> optuna.Study:
        study = self._create(storage)
        with warnings.catch_warnings():
            # Lets optuna-dashboard show names instead of "Objective 0".
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([axis.metric for axis in self._axes])
        for earlier in self._earlier:
            study.add_trial(self._frozen_earlier(earlier))
        for trial in trials:
            study.add_trial(self._frozen(trial))
        return study

    def _create(self, storage: BaseStorage) -> optuna.Study:
        return optuna.create_study(
            study_name=self._space.name,
            storage=storage,
            directions=["maximize" if axis.mode == "max" else "minimize" for axis in self._axes],
            load_if_exists=True,
        )

    def _frozen(self, trial: Trial) -> FrozenTrial:
        """Return a recorded trial as Optuna would have recorded it."""
        state = _STATES.get(trial.status, TrialState.RUNNING)
        params = params_of(self._space, trial.values)
        steps = dict(
            self._intermediate(trial, epoch)
            for epoch, metrics in sorted(trial.epochs.items())
            if metrics.get(self._objective.metric) is not None
        )
        values = self._values(trial) if state == TrialState.COMPLETE else None
        if state == TrialState.PRUNED and steps:
            values = [steps[max(steps)]]
        return optuna.trial.create_trial(
            state=state,
            params=params,
            distributions=self._distributions(params),
            values=values,
            intermediate_values=steps if len(self._axes) == 1 else {},
            user_attrs={"trial": trial.name}
            | ({KNOWN: True} if trial.origin == "known" else {})
            | ({REPEATS: trial.repeats} if trial.repeats else {}),
        )

    def _values(self, trial: Trial) -> list[float] | None:
        return values_of(trial, self._objective, self._axes)

    def _frozen_earlier(self, trial: EarlierTrial) -> FrozenTrial:
        params = params_of(self._space, trial.values)
        return optuna.trial.create_trial(
            state=_STATES[trial.status],
            params=params,
            distributions=self._distributions(params),
            value=trial.value,
            intermediate_values=dict(trial.steps),
            user_attrs={WARM_START: f"{trial.run} {trial.trial}"},
        )

    def _distributions(self, params: Mapping[str, Any]) -> dict[str, BaseDistribution]:
        return {
            dim.name: optuna_distribution(dim.distribution)
            for dim in self._space.dimensions
            if dim.name in params
        }

    def _intermediate(self, trial: Trial, epoch: int) -> tuple[int, float]:
        """Return the compute so far as Optuna's integer step, and the objective's value."""
        metrics = trial.epochs[epoch]
        step = step_of(self._space.budget.unit, epoch, metrics)
        value = metrics[self._objective.metric]
        if value is None:
            raise ValueError(f"{trial.name} has no {self._objective.metric} at epoch {epoch}")
        return step, value

    def _number(self, trial: Trial) -> int:
        return len(self._earlier) + trial.number - len(self._space.baselines)

    def _id(self, trial: Trial) -> int:
        return self._ids[self._number(trial)]


def _planned(space: Space) -> Iterator[tuple[Origin, Mapping[str, Any]]]:
    """Yield the trials without a sampler: baselines, known points and the points of a grid."""
    for overrides in space.baselines:
        yield "baseline", overrides
    for values in space.known:
        yield "known", values
    if space.searcher.name == "grid":
        for values in grid_points(space.dimensions):
            yield "sampled", values


def suggested(space: Space, trial: optuna.Trial) -> dict[str, Any]:
    """Return the values that ``trial`` draws, by path, according to the conditions."""
    values: dict[str, Any] = {}
    for dim in space.dimensions:
        if dim.active(values):
            values[dim.path] = _draw(trial, dim)
    return values


def _draw(trial: optuna.Trial, dim: Dimension) -> Any:
    match dim.distribution:
        case Uniform(low=low, high=high):
            return trial.suggest_float(dim.name, low, high)
        case LogUniform(low=low, high=high):
            return trial.suggest_float(dim.name, low, high, log=True)
        case Int(low=low, high=high):
            return trial.suggest_int(dim.name, low, high)
        case LogInt(low=low, high=high):
            return trial.suggest_int(dim.name, low, high, log=True)
        case Choice(values=values) | Grid(values=values):
            return trial.suggest_categorical(dim.name, values)


def params_of(space: Space, values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert values by path to Optuna's parameters by name."""
    return {
        dim.name: values[dim.path]
        for dim in space.dimensions
        if dim.path in values and dim.active(values)
    }
