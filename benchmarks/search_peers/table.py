"""A recorded grid as a table, on which any searcher can be run. It requires NumPy only.

A proposal is replaced by the nearest recorded configuration that has not been used yet, as in
``tune_robust.tuning.simulation.replay``. Trials report after every ``unit`` gradient evaluations.
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

Decision = Literal["go on", "stop", "pause"]

ENOUGH = 0.2
"""The fraction of a table's compute that every search uses, also after it has got to the target."""


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


class Finish(NamedTuple):
    """A trial that has finished: its name, its value, and the fraction of the compute by then."""

    trial: str
    value: float
    compute: float


def search(table: Table, peer: Peer, *, workers: int = 1) -> list[Finish]:
    """Return the trials that finish, in order, while ``peer`` searches ``table``.

    The search ends once it has used ``ENOUGH`` of the table's compute and a trial has finished at
    the target, or once it has used all trials, or proposes no more.

    Args:
        table: a table of which no trial has been used.
        peer: the searcher.
        workers: how many trials run at the same time; each step takes equally long.
    """
    simulation = _Simulation(table, peer, workers)
    while simulation.step():
        pass
    return simulation.finished


class _Simulation:
    """An asynchronous search: whenever a trial ends or pauses, its worker takes the next one."""

    def __init__(self, table: Table, peer: Peer, workers: int):
        self._table, self._peer, self._workers = table, peer, workers
        self._names: list[str] = []
        self._curves: list[list[float]] = []
        self._reached: list[int] = []
        self._running: list[tuple[int, int]] = []
        self._spent, self._exhausted = 0, False
        self.finished: list[Finish] = []
        self._fill(0)

    def step(self) -> bool:
        """Let the step that ends first end; return False once the search has ended."""
        if not self._running or self._ended():
            return False
        now, trial = heapq.heappop(self._running)
        self._reached[trial] += 1
        self._spent += self._table.unit
        value = self._curves[trial][self._reached[trial] - 1]
        decision = self._peer.report(trial, self._reached[trial], value)
        if self._reached[trial] == self._table.steps:
            self.finished.append(Finish(self._names[trial], value, self._compute))
        elif decision == "go on":
            heapq.heappush(self._running, (now + 1, trial))
            return True
        self._fill(now)
        return True

    @property
    def _compute(self) -> float:
        return self._spent / self._table.cost

    def _ended(self) -> bool:
        reached = any(finish.value >= self._table.target for finish in self.finished)
        return reached and self._compute >= ENOUGH

    def _fill(self, now: int) -> None:
        """Give each free worker a trial, as long as there are trials."""
        while len(self._running) < self._workers and not self._exhausted:
            proposal = self._peer.next(len(self._curves))
            trial = self._started(proposal) if isinstance(proposal, dict) else proposal
            if trial is None:
                # A searcher that was refused a new trial believes that it is running.
                self._exhausted = proposal is not None
                return
            if any(running == trial for _, running in self._running):
                raise RuntimeError(f"trial {trial} is to be resumed while it is running")
            heapq.heappush(self._running, (now + 1, trial))

    def _started(self, settings: dict[str, Any]) -> int | None:
        """Return the number of a new trial with the nearest settings, None if all are used."""
        found = self._table.take_nearest(settings)
        if found is None:
            return None
        trial = len(self._curves)
        self._peer.placed(trial, found["settings"])
        self._names.append(found["name"])
        self._curves.append(found["curve"])
        self._reached.append(0)
        return trial
