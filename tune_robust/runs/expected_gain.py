"""What the trials that are left are expected to gain, as recorded in run.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

from tune_robust.formatting import count


def ends_search(gain: ExpectedGain | None) -> TypeGuard[ExpectedGain]:
    """Return whether a search ends because of its expected gain; not if that is unknown."""
    return gain is not None and gain.stops


class ExpectedGain(NamedTuple):
    """What ``trials`` further trials are expected to gain.

    Attributes:
        gain: how much better their best is expected to be than the best finished trial, in the
            objective's unit, >= 0.
        noise: the standard deviation of the objective of trials with equal settings.
        trials: how many trials are left, of ``total``, the budget's.
        total: the number of trials of the budget.
        ended: how many had ended when this was computed.
        stops: whether the search ends because of it.
    """

    gain: float
    noise: float
    trials: int
    total: int
    ended: int
    stops: bool

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> ExpectedGain | None:
        """Return what run.json says, None if it was not computed."""
        found = meta.get("expected_gain")
        return None if found is None else cls(**found)

    def sentence(self) -> str:
        """Return a sentence, as in ``Expected gain of 20 more trials: 0.012, ...``."""
        return (
            f"Expected gain of {count(self.trials, 'more trial')}: {self.gain:.2g} "
            f"(noise: {self.noise:.2g}), after {count(self.ended, 'trial')}."
        )
