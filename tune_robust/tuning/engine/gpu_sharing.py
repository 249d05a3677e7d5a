"""``resources.gpus: auto``: how many trials share a GPU, according to measurements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MARGIN = 0.1
"""The fraction of a GPU's memory left free for larger trials and for fragmentation."""
WORTH = 1.1
"""The relative throughput from which twice as many trials at a time are worth it."""


@dataclass(frozen=True)
class Memory:
    """In MB: the peak memory of a trial, that of its process in addition, and the GPU's total."""

    trial: float
    context: float
    total: float

    @property
    def fits(self) -> int:
        """The number of such trials that fit, at least one."""
        return max(1, int((1 - MARGIN) * self.total // (self.trial + self.context)))


@dataclass(frozen=True)
class Sharing:
    """``trials`` share a GPU; ``throughput`` has the total images per second by their number."""

    trials: int
    memory: Memory
    throughput: dict[int, float]

    @property
    def fraction(self) -> float:
        """The fraction of a GPU for one trial."""
        return 1 / self.trials

    def describe(self) -> str:
        """Return a line with the measurements."""
        each = self.memory.trial + self.memory.context
        rates = ", ".join(f"{n} at once {rate:.0f}" for n, rate in self.throughput.items())
        return (
            f"{self.trials} per GPU. The most expensive trial takes {each:.0f} of "
            f"{self.memory.total:.0f} MB: {self.memory.fits} fit. Images per second: {rates}."
        )


def measure_sharing(memory: Memory, throughput: Callable[[int], float], *, at_most: int) -> Sharing:
    """Double the trials as long as they fit and increase the throughput by at least a tenth.

    Args:
        memory: the memory of the most expensive trial.
        throughput: measures the total images per second of this many trials at once; 0 if they run
            out of memory.
        at_most: the largest number of trials per GPU for which there are CPUs.
    """
    best, measured = 1, {1: throughput(1)}
    while 2 * best <= min(memory.fits, at_most):
        measured[2 * best] = throughput(2 * best)
        if measured[2 * best] < WORTH * measured[best]:
            break
        best *= 2
    return Sharing(best, memory, measured)
