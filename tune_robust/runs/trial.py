"""A trial according to its events."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Status = Literal["pending", "running", "interrupted", "paused", "stopped", "done", "failed"]
Origin = Literal["baseline", "known", "sampled", "confirmation"]
REFERENCES: frozenset[Origin] = frozenset({"baseline", "confirmation"})
"""Origins of trials that samplers do not see and schedulers do not stop."""
ENDED = frozenset({"stopped", "done", "failed"})


class Continued(NamedTuple):
    """What a trial continues: the network of another ``trial`` after ``epoch``.

    ``gradient_evaluations`` and ``seconds`` are those of that network up to there, which the
    metrics of the continuing trial include.
    """

    trial: str
    epoch: int
    gradient_evaluations: float
    seconds: float


@dataclass
class Trial:
    """One trial; ``epochs`` maps an epoch (from 1) to its metrics.

    A ``sentinel`` is never stopped early. ``confirms`` is the trial of the search that a
    trial of a confirmation retrains. ``repeats`` is the first trial of the setting that this one
    trains again with another seed in the same search. ``continues`` is what its training began
    with, if not with a new network: its own epochs are those after that.
    """

    name: str
    origin: Origin
    values: dict[str, Any]
    config: dict[str, Any]
    sentinel: bool = False
    status: Status = "pending"
    epochs: dict[int, dict[str, float | None]] = field(default_factory=dict)
    paused_at: int = 0
    """The last epoch after which it was paused; 0 if it never was."""
    error: str | None = None
    retried: list[str] = field(default_factory=list)
    """The reason of each interruption after which it continued from its last checkpoint."""
    notes: list[str] = field(default_factory=list)
    """Other remarks, such as a damaged checkpoint that was set aside."""
    confirms: str | None = None
    repeats: str | None = None
    continues: Continued | None = None
    reliability: list[list[float]] | None = None
    """The bins of the last epoch, as in ``training.evaluation``."""

    @property
    def number(self) -> int:
        """The position in the run, from 0; t0001 is number 0."""
        return int(self.name[1:]) - 1

    @property
    def begins_after(self) -> int:
        """The epoch with which its training began; 0 with a new network."""
        return 0 if self.continues is None else self.continues.epoch

    @property
    def epoch(self) -> int:
        """The last epoch of its network; it may have been trained by the trial it continues."""
        return max(self.epochs, default=self.begins_after)

    @property
    def inherited(self) -> Continued | None:
        """What it continues, unless it had to train these epochs itself.

        Its checkpoint may have been lost; its knots then lead to the same network.
        """
        own = min(self.epochs, default=self.begins_after + 1)
        return self.continues if own > self.begins_after else None

    @property
    def total_epochs(self) -> int:
        """The number of epochs of the complete trial, in all bootstrap rounds together."""
        return self.config["epochs"] * self.config.get("bootstrap_rounds", 1)

    @property
    def is_continuable(self) -> bool:
        """Whether it was stopped while it was paused, because the search ended."""
        return self.status == "stopped" and 0 < self.paused_at == max(self.epochs, default=0)

    @property
    def last(self) -> dict[str, float | None]:
        """The metrics of the last epoch; empty before the first."""
        return self.epochs[max(self.epochs)] if self.epochs else {}


_NAME = re.compile(r"t\d{4,}", re.ASCII)


def is_trial_name(name: str) -> bool:
    """Return whether ``name`` is a name made by ``name_of``."""
    return _NAME.fullmatch(name) is not None


def name_of(number: int) -> str:
    """Return the name of trial ``number``: t0001 is number 0."""
    return f"t{number + 1:04d}"
