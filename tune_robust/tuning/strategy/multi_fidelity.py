"""Bayesian optimisation that also learns from running and stopped trials.

Proposals maximise the expected improvement of a Gaussian process over settings and budgets
(``gaussian_process``) at the end of a trial. The first design gives each value of every
unconditional choice a trial, at points of Sobol's sequence. Known points count as part of it, but
not the bad ones: they say little about other settings with the same method, which would not be
tried. It has at most twenty trials, since a choice of many values would leave none for the model.
The model sees values below the median as the median: one bad setting would condemn all settings
with the same method, and how bad the bad ones are would make the good ones appear uncertain.
After twenty proposals, every fourth one is a point of Sobol's sequence, whatever the model says: a
model that is wrong about some settings would try them last.

Trials of earlier runs (a warm start) are looks at other surfaces. The run is one more dimension,
whose length is fitted like those of the settings: the better the earlier surface agrees with what
has been seen of this one, the more it counts (a multi-task Gaussian process, Swersky et al. 2013).
Level and spread of the scores do not count, which depend on the data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from tune_robust.gaussian_process import Array, GaussianProcess, Looks
from tune_robust.metrics import sign_of
from tune_robust.runs.trial import Trial
from tune_robust.schedulers.building import rungs_of
from tune_robust.spaces.objective import objective_of, step_of
from tune_robust.spaces.space import Space
from tune_robust.tuning.strategy.encoding import Encoding

WARM_START = "warm_start"
"""The attribute of a study's trial that names the earlier run, and the trial in it."""

KNOWN = "known"
"""The attribute of a study's trial that is a known point."""

_LEAST, _MOST = 4, 20
"""The fewest and the most trials of the first design."""

_MODELLED, _APART = 20, 4
"""After so many trials, one in so many is not proposed by the model."""

_DRAWN, _NEAR = 1000, 500
"""How many candidates are drawn from the whole space, and how many near the best trials."""

_BEST = 5
"""The number of trials that count as the best ones."""

_STEP = 0.1
"""The standard deviation of a step from one of the best trials, as a fraction of a range."""


_SAME = 0.03
"""Trials that run at the same time differ by at least this in one feature."""

_ENOUGH, _FINISHED = 20, 3
"""The fewest trials, and the fewest finished ones, from which a gain is predicted."""

_BELIEVED = 4
"""As so many values the spread of an earlier run counts for that of the new one."""

_CONSIDERED, _DRAWS = 500, 500
"""The most settings that count in a gain, and how many draws of the model it is the mean of."""

_SMOOTHED = 0.1
"""The last part of a trial over which its value is averaged, as a fraction of a complete one."""


class Budgets:
    """The steps of a study as fractions of a complete trial, and the rungs.

    Args:
        space: the space, whose compute of a complete trial takes a while to find out.
    """

    def __init__(self, space: Space):
        self._complete, self._seconds = space.max_resource, space.budget.unit == "seconds"
        self.rungs = tuple(rung / self._complete for rung in rungs_of(space))

    def at(self, step: int) -> float:
        """Return the fraction of a complete trial at a step of the study (``step_of``)."""
        return (step / 1000 if self._seconds else step) / self._complete


@dataclass(frozen=True)
class Seen:
    """A trial as far as it has been seen.

    Attributes:
        values: its settings, by path.
        looks: its values, larger ones being better, by the fraction of a complete trial.
        awaited: whether it is running and nothing has been seen of it yet.
        run: the earlier run to which it belongs; None for this one.
        known: whether it is a known point.
    """

    values: Mapping[str, Any]
    looks: Mapping[float, float]
    awaited: bool
    run: str | None = None
    known: bool = False

    @classmethod
    def of(cls, space: Space, budgets: Budgets, trial: FrozenTrial) -> Seen:
        """Return what a study knows of a trial: its values at the rungs and at its end."""
        sign = sign_of(space.objective.mode)
        curve = [(budgets.at(step), sign * v) for step, v in trial.intermediate_values.items()]
        complete = trial.state == TrialState.COMPLETE
        values = {d.path: trial.params[d.name] for d in space.dimensions if d.name in trial.params}
        best = space.objective.at == "best"
        looks = _at_rungs(sorted(curve), budgets.rungs, complete=complete, best=best)
        run, _, _ = trial.user_attrs.get(WARM_START, "").rpartition(" ")
        awaited, known = trial.state == TrialState.RUNNING and not looks, KNOWN in trial.user_attrs
        return cls(values, looks, awaited, run or None, known)

    @classmethod
    def of_trial(cls, space: Space, budgets: Budgets, trial: Trial) -> Seen:
        """Return the same of a recorded trial that is not running."""
        objective = objective_of(space)
        sign, unit = sign_of(objective.mode), space.budget.unit
        curve = [
            (budgets.at(step_of(unit, epoch, metrics)), sign * value)
            for epoch, metrics in trial.epochs.items()
            if (value := metrics.get(objective.metric)) is not None
        ]
        complete, best = trial.status == "done", objective.at == "best"
        looks = _at_rungs(sorted(curve), budgets.rungs, complete=complete, best=best)
        return cls(trial.values, looks, awaited=False)


class MultiFidelity:
    """Proposes the next trial of a search, as a function of the seed and the trials so far.

    Args:
        encoding: the features of the space's settings.
        seed: the seed of the first design and of the candidates.
    """

    def __init__(self, encoding: Encoding, *, seed: int):
        self._encoding, self._seed = encoding, seed

    def propose(self, trials: Sequence[Seen]) -> Array:
        """Return a coordinate in [0, 1] for each dimension.

        Args:
            trials: all trials so far, in the order of the proposals.
        """
        # Known points do not shift the sequence, whose first points are the most even ones.
        number = sum(not trial.known for trial in trials)
        rng = np.random.default_rng([self._seed, number])
        units = self._encoding.units([trial.values for trial in trials])
        counted = units[~bad_known_points(trials)]
        untried = self._encoding.untried(counted, at_least=_LEAST, at_most=_MOST)
        if untried is not None or not any(trial.looks for trial in trials):
            return self._designed(number, untried or {}, rng)
        own = sum(trial.run is None and not trial.known for trial in trials)
        if own >= _MODELLED and own % _APART == 0:
            point = self._designed(number, {}, rng)
            if not self._is_tried(point, units):
                return point
        return self._best(trials, units, rng)

    def gain(self, trials: Sequence[Seen], *, further: int) -> tuple[float, float] | None:
        """Return what further trials are expected to gain, and the noise.

        The gain is the expected maximum of f over the best trial that has finished and the
        ``further`` settings with the largest expected improvement, less the expectation of f at
        that trial: what there is to find for a search that finds the best of these. A search
        without more trials than settings finds less. The noise is the standard deviation of the
        values of trials with equal settings.

        Args:
            trials: trials that have ended or are paused, in the order of the proposals.
            further: how many trials are left, >= 1.

        Returns:
            Both in the unit of the values; None as long as there are too few trials for a model.
        """
        finished = np.array([1.0 in trial.looks for trial in trials])
        if len(trials) < _ENOUGH or finished.sum() < _FINISHED:
            return None
        rng = np.random.default_rng([self._seed, len(trials)])
        units = self._encoding.units([trial.values for trial in trials])
        points, none = self._encoding.features(units), np.zeros(len(units), int)
        model = GaussianProcess(_raised(_looks(trials, points, none)), self._encoding.groups)
        means, _ = model.predict(points)
        incumbent = np.where(finished, means, -np.inf).argmax()
        features = self._encoding.features(self._candidates(units, means, rng))
        gains = _improvement(model, features, means[incumbent])
        promising = np.argsort(-gains, kind="stable")[: min(further, _CONSIDERED)]
        considered = np.concatenate([points[[incumbent]], features[promising]])
        drawn = model.draw(considered, rng, draws=_DRAWS)
        return float((drawn.max(axis=1) - drawn[:, 0]).mean()), model.noise

    def _designed(
        self, number: int, untried: Mapping[int, Array], rng: np.random.Generator
    ) -> Array:
        # Slow to import, and only needed here.
        from scipy.stats import qmc

        sequence = qmc.Sobol(self._encoding.dimensions, scramble=True, seed=self._seed)
        if number:
            sequence.fast_forward(number)
        point = sequence.random(1)[0]
        for column, options in untried.items():
            point[column] = rng.choice(options)
        return point

    def _is_tried(self, point: Array, units: Array) -> bool:
        features = self._encoding.features(self._encoding.snapped(point[None]))
        return bool(_tried(features, self._encoding.features(units)).any())

    def _best(self, trials: Sequence[Seen], units: Array, rng: np.random.Generator) -> Array:
        runs = _numbered([trial.run for trial in trials])
        own, awaited = runs == 0, [trial.awaited for trial in trials]
        points = self._encoding.features(units)
        here = _with_run(points, runs * 0, of=runs.max())
        looks = _looks(trials, _with_run(points, runs, of=runs.max()), runs)
        model = GaussianProcess(_raised(looks), self._groups(runs.max()))
        model.imagine(here[awaited])
        means, _ = model.predict(here)
        drawn = self._candidates(units, means, rng)
        candidates = np.concatenate([drawn, self._encoding.snapped(units[~own])])
        features = self._encoding.features(candidates)
        best = means[own].max() if own.any() else means.max()
        nowhere = np.zeros(len(features), int)
        gains = _improvement(model, _with_run(features, nowhere, of=runs.max()), best)
        gains[_tried(features, points[own]) | _near_any(features, points[awaited])] = 0.0
        return candidates[gains.argmax()]

    def _candidates(self, units: Array, means: Array, rng: np.random.Generator) -> Array:
        """Return points drawn from the whole space, and near the trials with the best means."""
        leaders = units[np.argsort(-means, kind="stable")[:_BEST]]
        drawn = rng.random((_DRAWN, units.shape[1]))
        return self._encoding.snapped(np.concatenate([drawn, self._near(leaders, rng)]))

    def _groups(self, earlier: int) -> NDArray[np.int64]:
        """Return the dimension of each feature; the features of the earlier runs are the last."""
        return np.append(self._encoding.groups, np.full(earlier, self._encoding.dimensions))

    def _near(self, leaders: Array, rng: np.random.Generator) -> Array:
        """Return steps from the leaders, in about half of the ranges and a tenth of the choices."""
        starts = leaders[rng.integers(len(leaders), size=_NEAR)]
        steps = starts + _STEP * rng.standard_normal(starts.shape)
        steps = 1 - np.abs(1 - np.abs(steps))  # reflected at both ends
        chance, drawn = rng.random(starts.shape), rng.random(starts.shape)
        unordered = self._encoding.unordered
        moved = np.where(unordered, drawn, steps)
        return np.where(chance < np.where(unordered, 0.1, 0.5), moved, starts)


def _at_rungs(
    curve: Sequence[tuple[float, float]], rungs: Sequence[float], *, complete: bool, best: bool
) -> dict[float, float]:
    """Return the values at the rungs that a trial has reached, and at 1 if it is complete.

    Args:
        curve: the value after each budget, in ascending order.
        rungs: the budgets of the rungs, below 1.
        complete: whether the last value is that of a complete trial.
        best: whether the best value so far counts, and not that of the last epochs.
    """
    looks = {}
    for rung in rungs:
        reached = next((n for n, (budget, _) in enumerate(curve) if budget >= rung - 1e-9), None)
        if reached is not None:
            looks[rung] = _value(curve[: reached + 1], best=best)
    if complete and curve:
        looks[1.0] = _value(curve, best=best)
    return looks


def _value(curve: Sequence[tuple[float, float]], *, best: bool) -> float:
    """Return the best value, or the mean over the last epochs, since one of them is noisy."""
    if best:
        return max(value for _, value in curve)
    end = curve[-1][0]
    return fmean(value for budget, value in curve if budget > end - _SMOOTHED or budget == end)


def bad_known_points(trials: Sequence[Seen]) -> NDArray[np.bool_]:
    """Return which trials are known points that are bad.

    These are the ones with a value at the first rung that is not above the median of the trials
    that the sampler has proposed; none as long as no proposal has such a value.
    """
    values = [trial.looks[min(trial.looks)] if trial.looks else np.inf for trial in trials]
    proposed = [
        value
        for trial, value in zip(trials, values, strict=True)
        if trial.looks and trial.run is None and not trial.known
    ]
    middle = np.median(proposed) if proposed else -np.inf
    known = np.array([trial.known for trial in trials], bool)
    return known & (np.array(values) <= middle)


def _numbered(runs: Sequence[str | None]) -> NDArray[np.int64]:
    """Return a number for each run, in the order of their first trials; 0 for None."""
    numbers = {name: n for n, name in enumerate(dict.fromkeys([None, *runs]))}
    return np.array([numbers[name] for name in runs])


def _with_run(points: Array, runs: NDArray[np.int64], *, of: int) -> Array:
    """Return the points with a feature for each of ``of`` earlier runs, 1 for the one of a row."""
    return np.concatenate([points, runs[:, None] == np.arange(1, of + 1)], axis=1)


def _looks(trials: Sequence[Seen], points: Array, runs: NDArray[np.int64]) -> Looks:
    rows = [(n, r, y) for n, trial in enumerate(trials) for r, y in trial.looks.items()]
    numbers = np.array([n for n, _, _ in rows])
    budgets, values = np.array([(r, y) for _, r, y in rows]).T
    values, none = _comparable(values, runs[numbers]), np.zeros(len(rows))
    return Looks(points[numbers], budgets, numbers, values, none, runs[numbers])


def _comparable(values: Array, runs: NDArray[np.int64]) -> Array:
    """Return the values with those of earlier runs shifted and scaled to mean and spread of run 0.

    The spread of run 0 is known from few values at first: that of the earlier run counts as
    ``_BELIEVED`` of them.
    """
    own, found = values[runs == 0], values.copy()
    mean, squares = (own.mean(), len(own) * own.var()) if len(own) else (0.0, 0.0)
    for run in range(1, runs.max() + 1):
        earlier = values[runs == run]
        variance = earlier.var() or 1.0
        expected = (_BELIEVED * variance + squares) / (_BELIEVED + len(own))
        found[runs == run] = mean + (earlier - earlier.mean()) * np.sqrt(expected / variance)
    return found


def _raised(looks: Looks) -> Looks:
    """Return the looks with values below the median of their budget raised to it."""
    values = looks.values.copy()
    for budget in np.unique(looks.budgets):
        here = looks.budgets == budget
        values[here] = np.maximum(values[here], np.median(values[here]))
    return replace(looks, values=values)


def _tried(features: Array, points: Array) -> NDArray[np.bool_]:
    """Return which rows of ``features`` are among ``points``: a small space has few settings."""
    known = {row.tobytes() for row in points}
    return np.array([row.tobytes() in known for row in features])


def _near_any(features: Array, awaited: Array) -> NDArray[np.bool_]:
    """Return which rows of ``features`` differ from one of ``awaited`` by less than ``_SAME``.

    Under noise, an imagined end leaves the model so uncertain that it would propose the same again.
    """
    near = np.zeros(len(features), bool)
    for point in awaited:
        near |= np.abs(features - point).max(axis=1) < _SAME
    return near


def _improvement(model: GaussianProcess, points: Array, best: float) -> Array:
    """Return the expected improvement of ``points`` on ``best`` (Jones et al. 1998)."""
    # Only needed here.
    from scipy.special import ndtr

    mean, deviation = model.predict(points)
    gain = (mean - best) / deviation
    density = np.exp(-0.5 * gain**2) / np.sqrt(2 * np.pi)
    return deviation * (gain * ndtr(gain) + density)
