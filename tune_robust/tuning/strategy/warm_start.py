"""Warm starts: trials of earlier runs from which a search's sampler learns.

An earlier trial is used if this space could have drawn it: every value is inside its dimension, and
settings that were searched there but are fixed here have the same values. The trials are written
into the new run's run.json, so that the earlier runs are not needed later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tune_robust.config import Part, TrainConfig, parse_config
from tune_robust.errors import ConfigError, UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials
from tune_robust.runs.trial import ENDED, Trial
from tune_robust.spaces.objective import Objective, step_of
from tune_robust.spaces.paths import get_path
from tune_robust.spaces.space import Space
from tune_robust.validation import collect_problems

_LEARNS = ("tpe", "gp", "gp_mf", "cmaes")


class EarlierTrial(Part):
    """A trial of another run, in the form for the sampler.

    ``steps`` has (compute as counted by ``step_of``, value of the objective's metric) for each
    epoch. ``value`` ranks the trial; for a stopped trial it is the last value.
    """

    run: str
    trial: str
    status: Literal["done", "stopped"]
    values: dict[str, Any]
    steps: tuple[tuple[int, float], ...]
    value: float


class WarmStart(Part):
    """``warm_start`` in run.json: the runs by path, and the trials taken from them."""

    runs: tuple[str, ...] = ()
    trials: tuple[EarlierTrial, ...] = ()

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> WarmStart:
        """Return the warm start in a run's run.json; empty if there is none.

        Raises:
            ConfigError: it is damaged.
        """
        problems, found = collect_problems(cls, meta.get("warm_start") or {}, "warm_start")
        if found is None:
            raise ConfigError("run.json", problems)
        return found


class Harvest:
    """Collects trials of earlier runs for ``space``, and the reasons for skipping others.

    Raises:
        UserError: the space's searcher does not learn from trials.
    """

    def __init__(self, space: Space, objective: Objective):
        if space.searcher.name not in _LEARNS:
            raise UserError(
                f"--warm-start: the searcher is {space.searcher.name}, which does not learn from "
                f"the trials of other runs. Choose one of {', '.join(_LEARNS)} "
                "(--set searcher.name=tpe), or leave --warm-start out."
            )
        self._space, self._objective = space, objective
        self._runs: dict[str, list[EarlierTrial]] = {}
        self._skipped: dict[str, Counter[str]] = {}

    @property
    def warm_start(self) -> WarmStart:
        """Return everything taken so far.

        Raises:
            UserError: nothing was taken, although runs were given.
        """
        trials = [trial for taken in self._runs.values() for trial in taken]
        if self._runs and not trials:
            raise UserError(
                "--warm-start: no trial of these runs is inside this space.\n  "
                + "\n  ".join(self.summary)
                + "\nWiden the space to take them in, or leave --warm-start out."
            )
        return WarmStart(runs=tuple(self._runs), trials=tuple(trials))

    @property
    def summary(self) -> list[str]:
        """Return a line for each run: how many trials were taken and skipped, and why."""
        lines = []
        for run, taken in self._runs.items():
            why = self._skipped[run]
            reasons = "; ".join(f"{n} x {reason}" for reason, n in why.most_common())
            skipped = f", {why.total()} skipped: {reasons}" if why else ""
            lines.append(f"{run}: {len(taken)} trials taken{skipped}")
        return lines

    def add(self, folder: RunFolder) -> None:
        """Take the usable trials of one run; a run given twice counts once.

        Raises:
            UserError: it optimised another metric.
        """
        run = str(folder.path.resolve())
        if run in self._runs:
            return
        metric = folder.read_meta()["space"]["objective"]["metric"]
        if metric != self._objective.metric:
            raise UserError(
                f"--warm-start {folder.path}: it optimised {metric}, this search optimises "
                f"{self._objective.metric}, and the two cannot be compared. Leave that run out, or "
                f"search for the same (--set objective.metric={metric})."
            )
        self._runs[run], self._skipped[run] = [], Counter()
        for trial in read_trials(folder).values():
            try:
                taken = earlier_trial(self._space, self._objective, run, trial)
                self._runs[run].append(taken)
            except ValueError as reason:
                self._skipped[run][str(reason)] += 1


def earlier_trial(space: Space, objective: Objective, run: str, trial: Trial) -> EarlierTrial:
    """Return a trial of ``run`` for the sampler of a search of ``space``.

    Raises:
        ValueError: it is unusable; the message has the reason.
    """
    if trial.status not in ENDED:
        raise ValueError("not ended")
    if trial.status == "failed":
        raise ValueError("failed")
    values = values_in(space, trial)
    steps = {
        step_of(space.budget.unit, epoch, metrics): value
        for epoch, metrics in sorted(trial.epochs.items())
        if (value := metrics[objective.metric]) is not None
    }
    done = trial.status == "done"
    return EarlierTrial(
        run=run,
        trial=trial.name,
        status="done" if done else "stopped",
        values=values,
        steps=tuple(steps.items()),
        value=objective.known_value(trial.epochs) if done else steps[max(steps)],
    )


def values_in(space: Space, trial: Trial) -> dict[str, Any]:
    """Return a trial's values in ``space``, including those that its own run did not search.

    Raises:
        ValueError: ``space`` could not have drawn it; the message has the reason.
    """
    config = parse_config(trial.config, trial.name)
    values: dict[str, Any] = {}
    for dim in space.dimensions:
        if dim.active(values):
            value = _value(trial, config, dim.path)
            if not dim.distribution.contains(value):
                raise ValueError(f"{dim.path} outside {dim.distribution}")
            values[dim.path] = value
    here = space.config_for(values)
    for path in dict.fromkeys(["method", *trial.values]):
        if path not in values and get_path(here, path) != _value(trial, config, path):
            raise ValueError(f"{path} differs and is not searched here")
    return values


def _value(trial: Trial, config: TrainConfig, path: str) -> Any:
    return trial.values[path] if path in trial.values else get_path(config, path)


def harvest(space: Space, objective: Objective, folders: Sequence[RunFolder]) -> Harvest:
    """Collect the trials in ``folders`` for ``space``.

    Raises:
        UserError: as described in ``Harvest`` and ``Harvest.add``.
    """
    gathered = Harvest(space, objective)
    for folder in folders:
        gathered.add(folder)
    return gathered
