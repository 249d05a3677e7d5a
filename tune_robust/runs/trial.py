"""A trial as its events tell it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["pending", "running", "interrupted", "stopped", "done", "failed"]
Origin = Literal["baseline", "known", "sampled", "confirmation"]
REFERENCES: frozenset[Origin] = frozenset({"baseline", "confirmation"})
"""Trials that no sampler sees and no scheduler stops."""
ENDED = frozenset({"stopped", "done", "failed"})


@dataclass
class Trial:
    """One trial as the events tell it. ``epochs`` maps an epoch (from 1) to its metrics.

    A ``sentinel`` is never stopped early. ``confirms``: in a confirmation, the trial of the search
    that it trains again.
    """

    name: str
    origin: Origin
    values: dict[str, Any]
    config: dict[str, Any]
    sentinel: bool = False
    status: Status = "pending"
    epochs: dict[int, dict[str, float | None]] = field(default_factory=dict)
    error: str | None = None
    retried: list[str] = field(default_factory=list)
    """Why it was interrupted and went on from its last checkpoint, each time."""
    notes: list[str] = field(default_factory=list)
    """What else happened on its way, such as a damaged checkpoint that was set aside."""
    confirms: str | None = None
    reliability: list[list[float]] | None = None
    """Of the last epoch, as in ``training.evaluation``: share, confidence, accuracy by bin."""

    @property
    def number(self) -> int:
        """Position in the run, from 0; t0001 is number 0."""
        return int(self.name[1:]) - 1

    @property
    def total_epochs(self) -> int:
        """How many epochs it has when it is done, all bootstrap rounds together."""
        return self.config["epochs"] * self.config.get("bootstrap_rounds", 1)

    @property
    def last(self) -> dict[str, float | None]:
        """Metrics of the last epoch; empty before the first."""
        return self.epochs[max(self.epochs)] if self.epochs else {}


_NAME = re.compile(r"t\d{4,}", re.ASCII)


def is_trial_name(name: str) -> bool:
    """Whether ``name`` is one that ``name_of`` gives."""
    return _NAME.fullmatch(name) is not None


def name_of(number: int) -> str:
    """The name of trial ``number``: t0001 is number 0."""
    return f"t{number + 1:04d}"
