"""The confirmed scores of a run, from retraining its best trials with fresh seeds."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeInt, ValidationError

from analysis.stored.run import Run
from tune_robust.errors import UserError
from tune_robust.runs.documents import read_document
from tune_robust.statistics import Estimate


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class _Mean(_Record):
    """A mean over ``n`` seeds with its 95 % interval, as stored; all None without a seed."""

    n: NonNegativeInt
    mean: FiniteFloat | None
    sd: FiniteFloat | None = None
    low: FiniteFloat | None
    high: FiniteFloat | None

    @property
    def estimate(self) -> Estimate | None:
        """Return the mean as an ``Estimate``; None if no seed has a score."""
        if self.mean is None:
            return None
        return Estimate(self.n, self.mean, self.sd, self.low, self.high)


class ConfirmedTrial(_Mean):
    """A retrained trial.

    ``labels``: its label set; it is compared with the trials of the same one. ``leads``: whether it
    has the best mean of them. ``behind_leader``: how much better the leader is, paired by seed.
    ``probability_best``: in [0, 1]. ``optimism``: how much better its score in the search was.
    """

    trial: str
    origin: str
    labels: dict | None = None
    leads: bool = False
    behind_leader: _Mean | None = None
    probability_best: FiniteFloat | None = None
    optimism: FiniteFloat | None = None

    @property
    def is_baseline(self) -> bool:
        """Return whether it is a baseline of the space, not proposed by the search."""
        return self.origin == "baseline"

    @property
    def ties(self) -> bool:
        """Return whether it is statistically indistinguishable from the leader, at 95 %."""
        behind = self.behind_leader and self.behind_leader.estimate
        return bool(behind and behind.low is not None and not behind.excludes_zero)


class Confirmation(_Record):
    """The outcome of a confirmation.

    ``trials``: those with a score, the best mean first. ``conclusion``: the outcome as sentences.
    """

    format: Literal[1]
    conclusion: str
    trials: tuple[ConfirmedTrial, ...]

    @property
    def leader(self) -> ConfirmedTrial:
        """Return the trial with the best mean, which may be a baseline."""
        return self.trials[0]

    @property
    def searched(self) -> ConfirmedTrial | None:
        """Return the best trial proposed by the search; None if none was retrained."""
        return next((trial for trial in self.trials if not trial.is_baseline), None)

    @property
    def ties(self) -> tuple[ConfirmedTrial, ...]:
        """Return the trials that are statistically indistinguishable from the leader."""
        return tuple(trial for trial in self.trials[1:] if trial.ties)


def read_confirmation(run: Run) -> Confirmation | None:
    """Read the run's ``confirm/confirmation.json``; None without it, or without a score in it.

    Raises:
        UserError: The file is damaged.
    """
    path = run.path / "confirm" / "confirmation.json"
    if not path.is_file():
        return None
    try:
        document = read_document(path, None, _remedy(run))
        confirmation = Confirmation.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _damaged(run, f"{where}: {first['msg']}") from error
    except OSError as error:
        raise _damaged(run, str(error)) from error
    scored = tuple(trial for trial in confirmation.trials if trial.mean is not None)
    return confirmation.model_copy(update={"trials": scored}) if scored else None


def _damaged(run: Run, problem: str) -> UserError:
    path = run.path / "confirm" / "confirmation.json"
    return UserError(f"{path} is damaged ({problem}). {_remedy(run)}")


def _remedy(run: Run) -> str:
    return f"`tune-robust confirm {run.place}` writes a new one."
