"""Statistics of many replays of one combination."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tune_robust.tuning.simulation.recording import Pool
from tune_robust.tuning.simulation.replay import Clock, Finish, Replay

CURVE_POINTS = 200


class Spread(NamedTuple):
    """The median and the quartiles, each an observed value; inf if it was not reached."""

    median: float
    low: float
    high: float


def spread(values: Iterable[float]) -> Spread:
    """Return the spread of the values; the median of an even number is the lower of the two."""
    quantiles = np.quantile(list(values), [0.5, 0.25, 0.75], method="inverted_cdf")
    return Spread(*(float(q) for q in quantiles))


@dataclass(frozen=True)
class Statistics:
    """Statistics of ``n`` replays.

    ``trials`` and ``finished`` are how many trials started and ran to their end. ``compute`` is the
    compute used, as a fraction of the pool's. ``regret`` is the distance of the best finished trial
    from the pool's best, in the objective's unit, at least 0. ``within`` is the fraction of the
    pool's compute until the regret is at most the tolerance, and ``reached`` the number of replays
    in which it was. ``winner_found`` is the number of replays in which the pool's best (or an equal
    one) finished. ``test_accuracy`` is that of the trial selected by each replay; None if it was
    not recorded.
    """

    n: int
    trials: Spread
    finished: Spread
    compute: Spread
    regret: Spread
    within: Spread
    reached: int
    winner_found: int
    test_accuracy: Spread | None


def statistics(
    pool: Pool, replays: Sequence[Replay], *, clock: Clock, tolerance: float
) -> Statistics:
    """Return the statistics of replays on ``pool``; ``tolerance`` is in the objective's unit."""
    cost = pool.cost(clock)
    regrets = [_regret(pool, replay.finished) for replay in replays]
    within = [_within(pool, replay, tolerance) / cost for replay in replays]
    tests = [_test_accuracy(pool, replay) for replay in replays]
    known = [test for test in tests if test is not None]
    return Statistics(
        n=len(replays),
        trials=spread(len(replay.started) for replay in replays),
        finished=spread(len(replay.finished) for replay in replays),
        compute=spread(replay.compute / cost for replay in replays),
        regret=spread(regrets),
        within=spread(within),
        reached=sum(map(math.isfinite, within)),
        winner_found=sum(regret == 0 for regret in regrets),
        test_accuracy=spread(known) if len(known) == len(tests) else None,
    )


def anytime_curve(pool: Pool, replays: Sequence[Replay]) -> list[dict[str, Any]]:
    """Return the best so far against compute: rows of compute, median, low and high quartile.

    It begins where every value of the row belongs to a finished trial.
    """
    ends = np.linspace(0, max(replay.compute for replay in replays), CURVE_POINTS)
    regrets = np.array([_regrets_at(pool, replay, ends) for replay in replays])
    rows = []
    for end, column in zip(ends, regrets.T, strict=True):
        median, low, high = (pool.best - pool.objective.sign * regret for regret in spread(column))
        if math.isfinite(min(median, low, high)):
            low, high = sorted((low, high))
            rows.append({"compute": float(end), "median": median, "low": low, "high": high})
    return rows


def _regrets_at(pool: Pool, replay: Replay, ends: np.ndarray) -> np.ndarray:
    regrets = [_gap(pool, finish) for finish in replay.finished]
    best = np.minimum.accumulate([math.inf, *regrets])
    return best[np.searchsorted([f.compute for f in replay.finished], ends, side="right")]


def _regret(pool: Pool, finished: Iterable[Finish]) -> float:
    return min((_gap(pool, finish) for finish in finished), default=math.inf)


def _gap(pool: Pool, finish: Finish) -> float:
    return abs(pool.best - finish.value)


def _within(pool: Pool, replay: Replay, tolerance: float) -> float:
    """Return the compute until a finished trial was near the best; inf if none was."""
    # Differences of accuracies are subject to rounding.
    slack = tolerance + 1e-9
    return min((f.compute for f in replay.finished if _gap(pool, f) <= slack), default=math.inf)


def _test_accuracy(pool: Pool, replay: Replay) -> float | None:
    """Return the test accuracy of the finished trial that the objective ranks first."""
    if not replay.finished:
        return None
    chosen = min(replay.finished, key=lambda finish: pool.objective.sort_key(finish.value))
    trial = next(trial for trial in pool.trials if trial.name == chosen.trial)
    return trial.last.get("test_accuracy")
