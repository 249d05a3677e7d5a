"""The samplers, by the names that a space's ``searcher`` gives them.

A new sampler is made for every trial, from the searcher's seed and the trial's number, without any
state: its proposal is a function of the space, the seed and the history. For this reason, CMA-ES
and Sobol's sequence are not those of Optuna, which keep their state in the study's attributes; a
study rebuilt from the run store does not have them.
"""

from __future__ import annotations

import abc
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tune_robust.spaces.dimensions import Dimension
from tune_robust.spaces.distributions import (
    Choice,
    Distribution,
    Grid,
    Int,
    LogInt,
    LogUniform,
    Uniform,
)
from tune_robust.spaces.space import Space
from tune_robust.spaces.unit_cube import from_unit, to_unit
from tune_robust.tuning.strategy.encoding import Encoding
from tune_robust.tuning.strategy.multi_fidelity import Budgets, MultiFidelity, Seen
from tune_robust.tuning.strategy.tpe import BoundedTpe

REPEATS = "repeats"
"""The attribute of a study's trial that names the trial of which it is a repeat."""


def build_sampler(space: Space, number: int, *, given: int = 0) -> BaseSampler:
    """Return the sampler that proposes trial ``number`` of the run.

    Args:
        space: the space, with its dimensions and searcher.
        number: the number of the trial, from 0, including baselines and known points, but not
            repeats.
        given: how many trials the study starts with that no sampler drew: known points and trials
            of earlier runs.
    """
    return SAMPLERS[space.searcher.name](space, number, given)


def _tpe(space: Space, number: int, given: int) -> BaseSampler:
    with warnings.catch_warnings():
        # multivariate and group are marked experimental; they are needed to model conditions.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return BoundedTpe(
            seed=space.searcher.seed + number,
            n_startup_trials=space.searcher.startup,
            multivariate=True,
            group=True,
        )


def _gp(space: Space, number: int, given: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return GPSampler(seed=space.searcher.seed + number, n_startup_trials=space.searcher.startup)


def _gp_mf(space: Space, number: int, given: int) -> BaseSampler:
    return MultiFidelityGp(space)


def _cmaes(space: Space, number: int, given: int) -> BaseSampler:
    return CmaEs(space.dimensions, seed=space.searcher.seed + number, given=given)


def _qmc(space: Space, number: int, given: int) -> BaseSampler:
    index = number - len(space.baselines) - len(space.known)
    return Sobol(space.dimensions, seed=space.searcher.seed, index=max(index, 0))


def _nsga2(space: Space, number: int, given: int) -> BaseSampler:
    return NsgaTwo(space.searcher.startup, seed=space.searcher.seed + number)


def _random(space: Space, number: int, given: int) -> BaseSampler:
    return RandomSampler(seed=space.searcher.seed + number)


SAMPLERS: dict[str, Callable[[Space, int, int], BaseSampler]] = {
    "tpe": _tpe,
    "gp": _gp,
    "gp_mf": _gp_mf,
    "cmaes": _cmaes,
    "qmc": _qmc,
    "random": _random,
    "nsga2": _nsga2,
    "grid": _random,  # all its points are planned, so that it samples nothing
}


class _WholeSpace(BaseSampler, abc.ABC):
    """A sampler that draws all dimensions at once, as a point in the unit cube."""

    def __init__(self, dimensions: Sequence[Dimension]):
        self._dimensions = dimensions

    @abc.abstractmethod
    def point(self, study: optuna.Study) -> Sequence[float]:
        """Return a coordinate in [0, 1] for each dimension."""

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return all dimensions; a trial uses the coordinates of those that are active."""
        return {d.name: optuna_distribution(d.distribution) for d in self._dimensions}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the values at ``point``, by name."""
        point = self.point(study)
        return {
            dim.name: from_unit(dim.distribution, float(unit))
            for dim, unit in zip(self._dimensions, point, strict=True)
        }

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Raise ValueError: no dimension is sampled independently."""
        raise ValueError(f"{param_name} is not a dimension of the space")


class Sobol(_WholeSpace):
    """Point ``index`` of Sobol's sequence, scrambled by ``seed`` (Owen 1998).

    It covers a space evenly without learning, for a first exploration and for importances. The
    sequence has all dimensions, and a trial ignores the coordinates of inactive ones. Since each
    projection of the sequence is even, the points are even in each branch.
    """

    def __init__(self, dimensions: Sequence[Dimension], *, seed: int, index: int):
        super().__init__(dimensions)
        self._seed, self._index = seed, index

    def point(self, study: optuna.Study) -> Sequence[float]:
        """Return the point, which depends only on seed and index."""
        # Slow to import, and only needed here.
        from scipy.stats import qmc

        sequence = qmc.Sobol(len(self._dimensions), scramble=True, seed=self._seed)
        if self._index:
            sequence.fast_forward(self._index)
        return sequence.random(1)[0]


class CmaEs(_WholeSpace):
    """CMA-ES (Hansen 2016, arXiv 1604.00772), with generations replayed from the study.

    A generation consists of as many of the drawn trials, in their order, as the population has.
    Stopped trials count with their last value; failed ones and repeats are ignored. The start is
    the best of the first ``given`` trials, which no sampler drew, or else the centre. It is most
    useful from about 50 trials on and with continuous dimensions; it may converge too early on a
    range of few integers.
    """

    _STEP = 1 / 6  # the initial step, as a fraction of each range

    def __init__(self, dimensions: Sequence[Dimension], *, seed: int, given: int):
        super().__init__(dimensions)
        self._seed, self._given = seed, given
        drawn = ((d.name, d.distribution) for d in dimensions)
        self._ranges = [(name, d) for name, d in drawn if not isinstance(d, Choice | Grid)]

    def point(self, study: optuna.Study) -> Sequence[float]:
        """Draw from the distribution after the complete generations."""
        # Only needed here.
        from cmaes import CMA

        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        told = [
            (trial.number, self._coordinates(trial), sign * trial.value)
            for trial in study.get_trials(
                deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)
            )
            if trial.value is not None and REPEATS not in trial.user_attrs
        ]
        given = [(at, loss) for number, at, loss in told if number < self._given]
        drawn = [(at, loss) for number, at, loss in told if number >= self._given]
        middle = np.full(len(self._dimensions), 0.5)
        start, _ = min(given, key=lambda pair: pair[1], default=(middle, 0.0))
        cube = np.tile([0.0, 1.0], (len(self._dimensions), 1))
        evolution = CMA(mean=start, sigma=self._STEP, bounds=cube, seed=self._seed)
        size = evolution.population_size
        for first in range(0, len(drawn) - size + 1, size):
            evolution.tell(drawn[first : first + size])
        return evolution.ask()

    def _coordinates(self, trial: FrozenTrial) -> np.ndarray:
        return np.array([to_unit(range_, trial.params[name]) for name, range_ in self._ranges])


class MultiFidelityGp(_WholeSpace):
    """A Gaussian process over settings and budgets: ``multi_fidelity``."""

    def __init__(self, space: Space):
        super().__init__(space.dimensions)
        self._space = space

    def point(self, study: optuna.Study) -> Sequence[float]:
        """Return the proposal, a function of the seed and of all trials that have settings."""
        trials = study.get_trials(deepcopy=False)
        budgets = Budgets(self._space)
        seen = [Seen.of(self._space, budgets, trial) for trial in trials if trial.params]
        encoding = Encoding(self._space.dimensions)
        return [*MultiFidelity(encoding, seed=self._space.searcher.seed).propose(seen)]


class NsgaTwo(NSGAIISampler):
    """NSGA-II (Deb et al. 2002), with generations replayed from the study.

    A generation consists of ``population`` finished trials in their order, including known points.
    The first generation is drawn at random.
    """

    def __init__(self, population: int, *, seed: int):
        self._size = max(2, population)
        super().__init__(population_size=self._size, seed=seed)

    def get_trial_generation(self, study: optuna.Study, trial: FrozenTrial) -> int:
        """Return the number of complete generations before the trial."""
        return len(self._finished(study)) // self._size

    def get_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        """Return the trials of a complete generation."""
        first = generation * self._size
        return self._finished(study)[first : first + self._size]

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        """Return the best trials of all generations before ``generation``."""
        return self.select_parent(study, generation) if generation else []

    def _finished(self, study: optuna.Study) -> list[FrozenTrial]:
        return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def optuna_distribution(distribution: Distribution) -> BaseDistribution:
    """Convert a space's distribution to Optuna's."""
    match distribution:
        case Uniform(low=low, high=high):
            return FloatDistribution(low, high)
        case LogUniform(low=low, high=high):
            return FloatDistribution(low, high, log=True)
        case Int(low=low, high=high):
            return IntDistribution(low, high)
        case LogInt(low=low, high=high):
            return IntDistribution(low, high, log=True)
        case Choice(values=values) | Grid(values=values):
            return CategoricalDistribution(values)
