"""How rho, SANER's alpha and the learning rate move over a run: pure functions of plain numbers.

``progress`` is the fraction of the run that is over, in [0, 1]; ``epoch`` counts from 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from tune_robust import config

_ROUNDING = 1e-9
"""A place within a cycle just below 1 is the start of the next one."""


def scheduled(schedule: config.Schedule, *, progress: float, epoch: int) -> float:
    """What multiplies rho or alpha now; never negative, and 1 at the start but for knots.

    Steps multiply by ``factor`` at every boundary passed; exponential decay is
    ``exp(-rate * epoch)``; linear and cosine go from 1 to ``end``, piecewise linear through its
    knots.
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
    """SANER's alpha in this epoch: from 1 at epoch 0 to ``alpha`` at epoch ``k`` and after.

    Linear in Luong et al. 2024 (arXiv 2411.17132); ``cosine`` is slow at both ends, ``step`` stays
    at 1 until ``k``. ``k = 0`` uses ``alpha`` from the start.
    """
    if epoch >= k:
        return alpha
    if ramp == "step":
        return 1.0
    if ramp == "cosine":
        return _mix(1.0, alpha, _half_cosine(epoch / k))
    return 1 - (1 - alpha) * epoch / k


def lr_factor(schedule: config.LrSchedule, progress: float, step: float = 0.0) -> float:
    """What multiplies the learning rate in the step that begins at ``progress``, in [0, 1].

    It rises linearly over the first ``warmup`` of the run; a step there takes the rate of its end,
    so that the first one is not lost at 0. After that cosine falls to 0 at the end of the run,
    multistep multiplies by ``factor`` at every milestone passed. One cycle has its own rise.

    Args:
        schedule: of the learning rate.
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
    """What SWA's cyclical schedule multiplies the learning rate with (Izmailov et al., eq. 1).

    1 until ``average.start``, then in each cycle linearly from 1 to ``average.lowest``, which the
    last step of the cycle takes. Arguments as in ``lr_factor``.
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
    """From 0 to 1, slow at both ends."""
    return (1 - math.cos(math.pi * progress)) / 2


def _knots(schedule: config.PiecewiseLinear) -> tuple[float, ...]:
    names = ("start", "quarter", "half", "three_quarters", "end")
    return tuple(getattr(schedule, name) for name in names)


def _through(knots: Sequence[float], progress: float) -> float:
    """Linear between ``knots``, which are evenly spaced over the run."""
    position = progress * (len(knots) - 1)
    left = min(int(position), len(knots) - 2)
    return _mix(knots[left], knots[left + 1], position - left)


def _mix(start: float, end: float, weight: float) -> float:
    return (1 - weight) * start + weight * end


def _passed(boundaries: Iterable[float], progress: float) -> int:
    return sum(progress >= boundary for boundary in boundaries)
