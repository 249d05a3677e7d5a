"""Schedules of rho, SANER's alpha and the learning rate: pure functions of plain numbers.

``progress`` is the fraction of the run that is over, in [0, 1]; ``epoch`` counts from 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from tune_robust import config

_ROUNDING = 1e-9
"""A position in a cycle just below 1 is the start of the next cycle."""


def scheduled(schedule: config.Schedule, *, progress: float, epoch: int) -> float:
    """Return the factor of rho or alpha; never negative, and 1 at the start except with knots.

    Step schedules multiply by ``factor`` at every boundary passed. Exponential decay is ``exp(-rate
    * epoch)``. Linear and cosine go from 1 to ``end``, and piecewise linear goes through its knots.
    """
    match schedule:
        case config.Linear():
            return _mix(1.0, schedule.end, progress)
        case config.Cosine():
            return _mix(1.0, schedule.end, _half_cosine(progress))
        case config.PiecewiseLinear():
            return _through(_knots(schedule), progress)
        case config.StepDecay() | config.StepIncrease():
            return schedule.factor ** _passed(schedule.boundaries, progress)
        case config.ExponentialDecay():
            return math.exp(-schedule.rate * epoch)
        case config.Constant():
            return 1.0
    raise TypeError(f"not a schedule: {schedule!r}")


def saner_alpha(alpha: float, k: float, epoch: int, ramp: str = "linear") -> float:
    """Return SANER's alpha in an epoch: from 1 at epoch 0 to ``alpha`` at epoch ``k`` and later.

    The transition is linear in Luong et al. 2024 (arXiv 2411.17132); ``cosine`` is slow at both
    ends, and ``step`` stays at 1 until ``k``. ``k = 0`` uses ``alpha`` from the start.
    """
    if epoch >= k:
        return alpha
    if ramp == "step":
        return 1.0
    if ramp == "cosine":
        return _mix(1.0, alpha, _half_cosine(epoch / k))
    return 1 - (1 - alpha) * epoch / k


def lr_factor(schedule: config.LrSchedule, progress: float, step: float = 0.0) -> float:
    """Return the factor of the learning rate in the step that begins at ``progress``, in [0, 1].

    It rises linearly over the first ``warmup`` of the run; a step in the warm-up uses the value at
    its end, so that the first step is not wasted with a rate of 0. Afterwards, cosine falls to 0 at
    the end of the run, and multistep multiplies by ``factor`` at every milestone passed. One cycle
    includes its own rise.

    Args:
        schedule: the schedule of the learning rate.
        progress: the fraction of the run that is over, in [0, 1].
        step: the fraction of the run that one step takes.
    """
    if isinstance(schedule, config.LrOneCycle):
        return _one_cycle(schedule, progress)
    if progress < schedule.warmup:
        return min(1.0, (progress + step) / schedule.warmup)
    match schedule:
        case config.LrCosine():
            return 1 - _half_cosine((progress - schedule.warmup) / (1 - schedule.warmup))
        case config.LrMultistep():
            return schedule.factor ** _passed(schedule.milestones, progress)
        case config.LrConstant():
            return 1.0
    raise TypeError(f"not a learning rate schedule: {schedule!r}")


def swa_lr_factor(average: config.SwaConfig, progress: float, step: float) -> float:
    """Return the factor of the learning rate in SWA's cyclical schedule (Izmailov et al., eq. 1).

    It is 1 until ``average.start``, and then falls linearly from 1 to ``average.lowest`` in each
    cycle, whose last step uses the latter. Arguments as in ``lr_factor``.
    """
    if progress < average.start:
        return 1.0
    length = (1 - average.start) / average.cycles
    place = ((progress - average.start) / length + _ROUNDING) % 1
    return _mix(1.0, average.lowest, min(1.0, place + step / length))


def _one_cycle(schedule: config.LrOneCycle, progress: float) -> float:
    first = 1 / schedule.initial_divisor
    if progress < schedule.peak:
        return _mix(first, 1.0, _half_cosine(progress / schedule.peak))
    falling = (progress - schedule.peak) / (1 - schedule.peak)
    return _mix(1.0, first / schedule.final_divisor, _half_cosine(falling))


def _half_cosine(progress: float) -> float:
    """Rise from 0 to 1, slowly at both ends."""
    return (1 - math.cos(math.pi * progress)) / 2


def _knots(schedule: config.PiecewiseLinear) -> tuple[float, ...]:
    names = ("start", "quarter", "half", "three_quarters", "end")
    return tuple(getattr(schedule, name) for name in names)


def _through(knots: Sequence[float], progress: float) -> float:
    """Interpolate linearly between ``knots``, which are evenly spaced over the run."""
    position = progress * (len(knots) - 1)
    left = min(int(position), len(knots) - 2)
    return _mix(knots[left], knots[left + 1], position - left)


def _mix(start: float, end: float, weight: float) -> float:
    return (1 - weight) * start + weight * end


def _passed(boundaries: Iterable[float], progress: float) -> int:
    return sum(progress >= boundary for boundary in boundaries)
