"""When a search has no more to win than noise (``budget.stop: auto``).

Makarova et al. 2022 (arXiv 2104.08166) end Bayesian optimisation once the regret that is left is
below the noise of the objective. Here it is the expected gain of the trials that are left, by the
model of the sampler ``gp_mf``, whichever sampler proposes the trials. It is a function of the seed
and of the trials that have ended or are paused, so that a resumed search ends at the same trial.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tune_robust.runs.expected_gain import ExpectedGain
from tune_robust.runs.trial import ENDED, REFERENCES, Trial
from tune_robust.spaces.space import Space
from tune_robust.tuning.strategy.encoding import Encoding
from tune_robust.tuning.strategy.multi_fidelity import Budgets, MultiFidelity, Seen

THRESHOLD = 0.1
"""A search ends once the expected gain is below this fraction of the noise."""


def settled(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials from which the gain is predicted: those that have ended or are paused."""
    return [
        trial
        for trial in trials
        if trial.origin not in REFERENCES and (trial.status in ENDED or trial.status == "paused")
    ]


def expected_gain(space: Space, trials: Sequence[Trial], *, left: int) -> ExpectedGain | None:
    """Return what the trials that are left are expected to gain.

    Args:
        space: the space, with its budget and seed.
        trials: the ``settled`` ones, in the order of the proposals.
        left: how many trials are still to be proposed.

    Returns:
        None as long as there are too few trials for a model, and if no trial is left.
    """
    budgets = Budgets(space)
    seen = [each for trial in trials if (each := Seen.of_trial(space, budgets, trial)).looks]
    model = MultiFidelity(Encoding(space.dimensions), seed=space.searcher.seed)
    found = model.gain(seen, further=left) if left > 0 else None
    if found is None:
        return None
    gain, noise = found
    return ExpectedGain(
        gain=gain,
        noise=noise,
        trials=left,
        total=space.budget.trials,
        ended=len(trials),
        stops=gain < THRESHOLD * noise,
    )
