"""When ``gp_mf`` tries the next known point: at once while they are good, else once in a while.

Known points that mislead would otherwise take the first trials, which are promoted for lack of
better ones. A known point is bad if its score at the first rung is not above the median of the
sampler's proposals. This is decided anew for each trial, from the trials so far, so that a resumed
search tries the same points.
"""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial

from tune_robust.spaces.space import Space
from tune_robust.tuning.strategy.multi_fidelity import Budgets, Seen, bad_known_points

_FOR_EACH_BAD = 10
"""So many proposals come for each bad known point before another one is tried."""


def known_point_is_due(space: Space, trials: Sequence[FrozenTrial]) -> bool:
    """Return whether the next trial is a known point, and not a proposal.

    As long as nothing is known of their scores, known points and proposals alternate.

    Args:
        space: the space.
        trials: the trials of the study so far, without repeats.
    """
    budgets = Budgets(space)
    seen = [Seen.of(space, budgets, trial) for trial in trials if trial.params]
    own = [trial for trial in seen if trial.run is None]
    proposed = [trial for trial in own if not trial.known]
    known = [trial for trial in own if trial.known]
    comparable = any(trial.looks for trial in proposed)
    unjudged = sum(not (comparable and trial.looks) for trial in known)
    bad = int(bad_known_points(own).sum())
    return len(proposed) >= unjudged + _FOR_EACH_BAD * bad
