"""The confirmed score: what retraining on fresh seeds says of the winner."""

from __future__ import annotations

import json
from typing import NamedTuple

from analysis.stored.run import Run
from tune_robust.errors import UserError

_FORMAT = 1


class Confirmed(NamedTuple):
    """The best retrained trial of the search, as ``tune-robust confirm`` found it.

    ``mean`` over ``seeds`` fresh seeds and its 95 % interval, None after one seed alone.
    ``probability_best``: among the trials retrained, in [0, 1]. ``optimism``: how much better the
    search had scored it. ``conclusion``: in words.
    """

    trial: str
    seeds: int
    mean: float
    low: float | None
    high: float | None
    probability_best: float | None
    optimism: float | None
    conclusion: str


def read_confirmation(run: Run) -> Confirmed | None:
    """What lies in the run's ``confirm/confirmation.json``; None where there is none.

    Raises:
        UserError: when the file is damaged.
    """
    path = run.path / "confirm" / "confirmation.json"
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != _FORMAT:
            raise ValueError(f"format {found['format']!r}")
        rows = [row for row in found["trials"] if row["mean"] is not None]
        if not rows:
            return None
        best = next((row for row in rows if row["origin"] != "baseline"), rows[0])
        return Confirmed(
            best["trial"],
            best["n"],
            best["mean"],
            best["low"],
            best["high"],
            best["probability_best"],
            best["optimism"],
            found["conclusion"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is damaged ({type(error).__name__}: {error}). `tune-robust confirm "
            f"{run.path}` writes it anew."
        ) from error
