"""A finished run as a recording of curves on which searches are replayed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tune_robust.config import TrainConfig, parse_config
from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials
from tune_robust.runs.trial import Trial
from tune_robust.spaces.objective import Objective, objective_of
from tune_robust.spaces.space import Space
from tune_robust.tuning.strategy.warm_start import values_in

_MAY_DIFFER = {"seed", "threads", "data.dir", "data.download"}


def read_recorded(folder: RunFolder) -> dict[str, Trial]:
    """Return all trials, from the events or, if only they were kept, from the two tables.

    Raises:
        UserError: neither exists.
    """
    if not folder.events.exists() and not folder.trials.exists():
        raise UserError(
            f"{folder.path} has no {folder.events.name}, and no {folder.trials.name} either: "
            f"restore the events, or both {folder.trials.name} and {folder.epochs.name}."
        )
    return read_trials(folder)


@dataclass(frozen=True)
class Pool:
    """The trials of a recording that ran to their end in ``space``, from which a replay draws.

    ``left_out`` counts the other trials by reason; ``stopped`` of them were stopped early.
    """

    space: Space
    trials: tuple[Trial, ...]
    left_out: Counter[str]
    stopped: int

    @property
    def objective(self) -> Objective:
        """The objective of the space."""
        return objective_of(self.space)

    @property
    def best(self) -> float:
        """The best objective of all trials."""
        values = [self.objective.known_value(trial.epochs) for trial in self.trials]
        return min(values, key=self.objective.sort_key)

    def cost(self, clock: str) -> float:
        """Return the compute of all trials, in ``gradient_evaluations`` or ``seconds``.

        Raises:
            UserError: it was not recorded.
        """
        costs = [trial.last.get(clock) for trial in self.trials]
        known = [cost for cost in costs if cost is not None]
        if len(known) < len(costs):
            raise UserError(f"--clock {clock}: the {clock} of the trials were not recorded.")
        return sum(known)


def pool_of(space: Space, folder: RunFolder) -> Pool:
    """Return the pool of the run in ``folder`` for a search of ``space``.

    Raises:
        UserError: fewer than two trials can be replayed.
    """
    left_out: Counter[str] = Counter()
    trials = []
    recorded = read_recorded(folder).values()
    for trial in recorded:
        try:
            trials.append(_placed(space, trial))
        except ValueError as reason:
            left_out[str(reason)] += 1
    if len(trials) < 2:
        reasons = "; ".join(f"{n} x {reason}" for reason, n in left_out.most_common())
        raise UserError(
            f"{folder.path}: {len(trials)} of {len(recorded)} trials can be replayed in the space "
            f"{space.name}, and a replay needs at least 2. Left out: {reasons or 'none'}. Record "
            "full curves with `tune-robust search --set budget.scheduler=none`."
        )
    stopped = sum(trial.status == "stopped" for trial in recorded)
    return Pool(space, tuple(trials), left_out, stopped)


def _placed(space: Space, trial: Trial) -> Trial:
    """Return the trial with its values in ``space``, or raise ValueError with the reason."""
    if trial.origin == "baseline":
        raise ValueError("a baseline, outside the space")
    if trial.status != "done":
        raise ValueError({"stopped": "stopped early"}.get(trial.status, trial.status))
    if len(trial.epochs) < trial.total_epochs and space.budget.unit != "seconds":
        raise ValueError("epochs are missing")
    for metric in (space.objective.metric, *space.objective.against):
        if trial.last.get(metric) is None:
            raise ValueError(f"{metric} was not recorded")
    values = values_in(space, trial)
    here = dict(_settings(space.config_for(values)))
    there = dict(_settings(parse_config(trial.config, trial.name)))
    for path in here.keys() | there.keys():
        if here.get(path) != there.get(path):
            raise ValueError(f"{path} was {there.get(path)}, here {here.get(path)}")
    return Trial(
        name=trial.name,
        origin=trial.origin,
        values=values,
        config=trial.config,
        status=trial.status,
        epochs=trial.epochs,
    )


def _settings(config: TrainConfig) -> Iterator[tuple[str, Any]]:
    """Yield all settings, as (path, value), except the seed and the folders."""
    for path, value in _flat(config.model_dump(mode="json")):
        if path not in _MAY_DIFFER:
            yield path, value


def _flat(document: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
