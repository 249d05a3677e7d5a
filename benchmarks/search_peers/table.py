"""A recorded grid as a table, on which any searcher can be run. It requires NumPy only.

A proposal is replaced by the nearest recorded configuration that has not been used yet, as in
``tune_robust.tuning.simulation.replay``. Trials report after every ``unit`` gradient evaluations,
one trial at a time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

Decision = Literal["go on", "stop", "pause"]


class Dimension(NamedTuple):
    """One dimension; ``when`` maps the names of choices to the values that activate it."""

    name: str
    kind: Literal["uniform", "log_uniform", "int", "log_int", "choice"]
    low: float
    high: float
    values: list[Any]
    when: dict[str, list[Any]]

    def active(self, settings: Mapping[str, Any]) -> bool:
        """Return whether it is a setting of a trial with these other settings."""
        return all(settings.get(name) in allowed for name, allowed in self.when.items())

    def unit(self, value: Any) -> float:
        """Return where a value lies: in [0, 1], or the number of a choice."""
        if self.kind == "choice":
            return float(self.values.index(value))
        if self.kind.startswith("log"):
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


class Peer(Protocol):
    """A searcher as its library offers it."""

    def next(self, trial: int) -> int | dict[str, Any] | None:
        """Return the settings of the new trial ``trial``, a paused trial to resume, or None."""

    def placed(self, trial: int, settings: dict[str, Any]) -> None:
        """Learn which recorded settings stand for the proposal."""

    def report(self, trial: int, step: int, value: float) -> Decision:
        """Learn a value, larger ones being better, after a step from 1; say what comes next."""


class Table:
    """A recording, read from the JSON that ``searchers.py`` writes."""

    def __init__(self, path: Path):
        document = json.loads(path.read_text())
        self.dimensions = [Dimension(**dim) for dim in document["dimensions"]]
        self.trials: list[dict[str, Any]] = document["trials"]
        self.unit, self.grace = document["unit"], document["grace"]
        self.steps = len(self.trials[0]["curve"])
        self.target, self.cost = document["target"], document["cost"]
        self._points = np.array([self._point(trial["settings"]) for trial in self.trials])
        self._free = np.ones(len(self.trials), bool)

    def take_nearest(self, settings: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the nearest unused trial; None if all are used."""
        if not self._free.any():
            return None
        point = self._point(settings)
        apart = np.abs(self._points - point)[:, ~np.isnan(point)]
        distance = (np.nan_to_num(np.minimum(apart, 1.0), nan=1.0) ** 2).sum(axis=1)
        nearest = int(np.where(self._free, distance, np.inf).argmin())
        self._free[nearest] = False
        return self.trials[nearest]

    def _point(self, settings: Mapping[str, Any]) -> np.ndarray:
        return np.array(
            [
                dim.unit(settings[dim.name])
                if dim.name in settings and dim.active(settings)
                else math.nan
                for dim in self.dimensions
            ]
        )


def compute_to_target(table: Table, peer: Peer) -> float:
    """Return the fraction of the table's compute until a trial has finished at the target.

    It is inf if ``peer`` never gets there: it has used all trials, or ends.
    """
    curves: list[list[float]] = []
    reached: list[int] = []
    spent = 0
    while (proposal := peer.next(len(curves))) is not None:
        if isinstance(proposal, dict):
            found = table.take_nearest(proposal)
            if found is None:
                break
            peer.placed(len(curves), found["settings"])
            trial = len(curves)
            curves.append(found["curve"])
            reached.append(0)
        else:
            trial = proposal
        decision: Decision = "go on"
        while decision == "go on" and reached[trial] < table.steps:
            reached[trial] += 1
            spent += table.unit
            decision = peer.report(trial, reached[trial], curves[trial][reached[trial] - 1])
        if reached[trial] == table.steps and curves[trial][-1] >= table.target:
            return spent / table.cost
    return math.inf
