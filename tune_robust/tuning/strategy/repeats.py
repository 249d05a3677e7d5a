"""Racing over seeds: which setting a search trains again instead of trying a new one.

The scores of a search have noise: another seed gives another score. Of many settings, the one with
the best score is often not the best, but the luckiest. The next trial is therefore the one that is
expected to raise the score of the final choice the most for its compute: a new setting, or a repeat
of one of the leaders with another seed. This is the knowledge gradient (Frazier et al. 2008, SIAM
J. Control Optim. 47) of a normal model: the settings' means are normal around that of a new
setting, and the seeds are normal around the mean of their setting. SMAC (Hutter et al. 2011)
repeats the incumbent for the same reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean, median

from tune_robust.runs.trial import REFERENCES, Trial
from tune_robust.spaces.objective import Objective

MOST = 3
"""The most seeds of one setting in a search; ``confirm`` trains the winners with more."""

_TRIED, _FINISHED = 8, 4
"""The fewest settings tried and finished by which the value of a new one is estimated."""

_NOISE = 0.5
"""The standard deviation of the seeds that is assumed before any repeat has finished.

It is a fraction of that of the better half of the settings, and counts as much as one repeat.
"""


@dataclass
class _Setting:
    """The scores of a setting, larger ones being better; ``running`` repeats have none yet."""

    first: Trial
    scores: list[float] = field(default_factory=list)
    running: int = 0

    @property
    def seeds(self) -> int:
        return len(self.scores) + self.running


@dataclass(frozen=True)
class _Model:
    """The mean and variance of new settings, and the variance of the seeds of a setting."""

    mean: float
    between: float
    seeds: float

    def variance(self, n: int) -> float:
        """Return the variance of what is known of a setting after ``n`` seeds."""
        return 1 / (1 / self.between + n / self.seeds)

    def expected(self, setting: _Setting) -> float:
        """Return the expected score of another seed of a setting."""
        n = len(setting.scores)
        weight = n * self.between / (n * self.between + self.seeds)
        return self.mean + weight * (fmean(setting.scores) - self.mean)

    def gain(self, behind: float, n: int) -> float:
        """Return the expected rise of the best score from one more seed of a setting.

        Args:
            behind: how far its expected score is from the best of the other settings.
            n: the number of its seeds so far.
        """
        change = math.sqrt(max(0.0, self.variance(n) - self.variance(n + 1)))
        if change == 0:
            return 0.0
        z = -abs(behind) / change
        density = math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
        return change * (z * 0.5 * math.erfc(-z / math.sqrt(2)) + density)


def setting_to_repeat(trials: Iterable[Trial], objective: Objective) -> Trial | None:
    """Return the first trial of the setting to train again; None if a new setting is worth more.

    It is a function of the trials so far, so that a resumed search repeats the same settings.

    Args:
        trials: those of the search so far, in the order of the proposals.
        objective: the objective of the search.
    """
    searched = [trial for trial in trials if trial.origin not in REFERENCES]
    settings = _settings(searched, objective)
    new = [trial for trial in searched if trial.repeats is None and trial.status in _LEFT]
    if len(new) < _TRIED or len(settings) < _FINISHED:
        return None
    model = _model(settings)
    if model is None:
        return None
    expected = {setting.first.name: model.expected(setting) for setting in settings}
    best, second = sorted(expected.values(), reverse=True)[:2]
    gains = []
    for setting in settings:
        if setting.seeds < MOST:
            own = expected[setting.first.name]
            others = second if own == best else best
            gain = model.gain(own - others, setting.seeds)
            gains.append((gain / _cost(setting.first), setting.first))
    finishes = sum(trial.status == "done" for trial in new) / len(new)
    of_new = finishes * model.gain(best - model.mean, 0) / fmean(map(_cost, new))
    most, leader = max(gains, key=lambda each: each[0], default=(0.0, None))
    return leader if most > of_new else None


_LEFT = ("done", "stopped", "paused")


def _settings(trials: Iterable[Trial], objective: Objective) -> list[_Setting]:
    """Return the settings whose first trial has finished."""
    found: dict[str, _Setting] = {}
    for trial in trials:
        value = objective.value(trial.epochs) if trial.status == "done" else None
        if trial.repeats is None and value is not None:
            found[trial.name] = _Setting(trial, [objective.sign * value])
        elif trial.repeats in found and value is not None:
            found[trial.repeats].scores.append(objective.sign * value)
        elif trial.repeats in found:
            found[trial.repeats].running += 1
    return list(found.values())


def _model(settings: list[_Setting]) -> _Model | None:
    """Return the model of the better half of the settings; None if they are all the same.

    The scores of poor settings reach far down, which says nothing about better ones.
    """
    first = [setting.scores[0] for setting in settings]
    middle = median(first)
    observed = fmean((score - middle) ** 2 for score in first if score >= middle)
    if observed == 0:
        return None
    repeated = [setting.scores for setting in settings if len(setting.scores) > 1]
    squares = sum((score - fmean(scores)) ** 2 for scores in repeated for score in scores)
    freedom = sum(len(scores) - 1 for scores in repeated)
    seeds = (_NOISE**2 * observed + squares) / (1 + freedom)
    if seeds == 0:
        return None
    return _Model(middle, max(observed - seeds, 0.01 * observed), seeds)


def _cost(trial: Trial) -> float:
    """Return the compute of a trial, in gradient evaluations."""
    return trial.last.get("gradient_evaluations") or float(max(trial.epochs, default=1))
