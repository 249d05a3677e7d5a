"""The settings of trials as features of the surrogate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.stored.axes import Axis, axes_of
from tune_robust.spaces.dimensions import parse_dimension
from tune_robust.spaces.distributions import Condition

UNUSED = 0.5
"""The feature of a number that does not apply: which do is a function of the other features."""


@dataclass(frozen=True)
class Number:
    """A searched number, or one of its alternatives that differ in their conditions.

    A feature is its position on the axis, in [0, 1].
    """

    axis: Axis
    when: Mapping[str, Condition]
    width = 1

    @property
    def path(self) -> str:
        """Return the searched path."""
        return self.axis.path

    def applies(self, trials: pd.DataFrame) -> np.ndarray:
        """Return to which trials it applies, (n,)."""
        mask = trials[self.path].notna().to_numpy()
        for path, condition in self.when.items():
            values = trials[path] if path in trials else [None] * len(trials)
            mask = mask & [not pd.isna(value) and condition.holds(value) for value in values]
        return mask

    def features(self, trials: pd.DataFrame) -> np.ndarray:
        """Return the features of trials, (n, 1)."""
        applies = self.applies(trials)
        positions = np.full(len(trials), UNUSED)
        positions[applies] = self.axis.to_unit(trials[self.path][applies].astype("float64"))
        return positions[:, None]

    def is_used(self, features: np.ndarray) -> np.ndarray:
        """Return in which rows of its features (n, 1) it applies."""
        return features[:, 0] != UNUSED


@dataclass(frozen=True)
class Choice:
    """A searched choice. It has a feature per option, 1 for the chosen one."""

    path: str
    options: tuple[Any, ...]

    @property
    def width(self) -> int:
        """Return the number of features."""
        return len(self.options)

    def features(self, trials: pd.DataFrame) -> np.ndarray:
        """Return the features of trials, (n, options)."""
        return np.column_stack([(trials[self.path] == o).to_numpy(float) for o in self.options])

    def is_used(self, features: np.ndarray) -> np.ndarray:
        """Return in which rows of its features (n, options) it applies."""
        return features.max(axis=1) > 0


def placed(trials: pd.DataFrame, axes: tuple[Axis, ...]) -> pd.DataFrame:
    """Return the trials that have a place on every axis: rho = 0 has none on a log axis."""
    for axis in axes:
        if axis.is_numeric and axis.log:
            trials = trials[~(trials[axis.path].astype("float64") <= 0)]
    return trials


def varied(search: Mapping[str, Any], trials: pd.DataFrame) -> tuple[Number | Choice, ...]:
    """Return the dimensions of a space's ``search`` mapping that differ between trials.

    A range is extended to the values of trials beyond its ends.
    """
    found: list[Number | Choice] = []
    for path, given in search.items():
        values = trials[path].dropna()
        if not len(values):
            continue
        if all(axis.is_numeric for axis in axes_of({path: given})):
            found += _numbers(path, given, trials)
        else:
            found.append(Choice(path, tuple(sorted(values.unique(), key=str))))
    return tuple(each for each in found if len(np.unique(each.features(trials), axis=0)) > 1)


def _numbers(path: str, given: Any, trials: pd.DataFrame) -> list[Number]:
    """Return a number for each alternative of a path, without those that no trial has."""
    numbers = []
    for alternative in given if isinstance(given, list) else [given]:
        [axis] = axes_of({path: alternative})
        when = parse_dimension(path, alternative).conditions if isinstance(given, list) else {}
        number = Number(axis, when)
        values = trials[path][number.applies(trials)]
        if len(values):
            wide = axis.covering(values.to_numpy("float64"))
            numbers.append(replace(number, axis=wide))
    return numbers
