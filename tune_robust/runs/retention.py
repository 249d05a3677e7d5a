"""Delete checkpoints except those of running, paused and the best finished trials.

The best of those that were paused when the search ended keep theirs too, since a search that is
resumed with more trials or more time may continue them.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean

from tune_robust.runs.folder import RunFolder
from tune_robust.runs.pareto import pareto_front
from tune_robust.runs.trial import Trial
from tune_robust.spaces.objective import objective_of
from tune_robust.spaces.space import Space

FILES = 3
"""Checkpoints per trial: the last, the one before it, and the best."""
KEPT = 5
"""How many of the best finished settings keep the checkpoints of their first trials.

As many of the best trials that were left paused keep theirs.
Of several objectives, all trials of the Pareto front keep theirs.
"""


def most_kept(space: Space) -> int:
    """Return how many trials that do not run may have checkpoints at the same time.

    These are the best finished ones and, with the schedulers that pause trials, all paused ones.
    """
    return space.trials if space.budget.pauses else min(KEPT, space.trials)


class Retention:
    """Deletes the checkpoints of trials that were stopped, failed, or are not among the best.

    A setting that was repeated counts by its mean, as in the choice of the winner, and its repeats
    keep no checkpoints.

    Args:
        folder: the folder of the run.
        space: its space, whose objective ranks the trials.
        ended: the trials that have ended already.
    """

    def __init__(self, folder: RunFolder, space: Space, ended: Iterable[Trial]):
        self._folder, self._space, self._objective = folder, space, objective_of(space)
        self._kept: list[Trial] = []
        self._scores: dict[str, dict[str, float]] = {}
        self._keep_best_of(ended)

    def ended(self, trial: Trial) -> None:
        """Update for a trial that has ended: only trials kept so far can be displaced by it.

        Predictions are kept unless the trial failed, since they are small and useful together.
        """
        if trial.status == "failed":
            self._folder.drop_predictions(trial.name)
        self._keep_best_of([*self._kept, trial])

    def _keep_best_of(self, trials: Iterable[Trial]) -> None:
        trials = list(trials)
        self._kept = self._best(trials)
        kept = {trial.name for trial in self._kept}
        for trial in trials:
            if trial.name not in kept:
                self._folder.drop_checkpoints(trial.name)

    def _best(self, trials: Iterable[Trial]) -> list[Trial]:
        if self._space.objective.against:
            return pareto_front(trials, self._space)
        finished = [trial for trial in trials if trial.status == "done"]
        for trial in finished:
            self._scores.setdefault(trial.repeats or trial.name, {})[trial.name] = self._key(trial)
        settings = [trial for trial in finished if trial.repeats is None]
        settings.sort(key=lambda first: fmean(self._scores[first.name].values()))
        resumable = self._space.budget.scheduler == "promotion"
        left = [trial for trial in trials if trial.is_continuable and resumable]
        left.sort(key=lambda trial: (-trial.paused_at, self._key(trial)))
        return settings[:KEPT] + left[:KEPT]

    def _key(self, trial: Trial) -> float:
        return self._objective.sort_key(self._objective.value(trial.epochs))
