"""``resources.gpus: auto``: how many trials share a GPU, by what was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MARGIN = 0.1
"""Share of a GPU's memory that is left free: trials differ, and fragments cannot be used."""
WORTH = 1.1
"""Throughput, of what it was, from which twice as many trials at a time are worth it."""


@dataclass(frozen=True)
class Memory:
    """In MB: what one trial reserves at most, what its process takes beside that, the GPU's own."""

    trial: float
    context: float
    total: float

    @property
    def fits(self) -> int:
        """How many such trials fit; at least one, which then says itself if it does not."""
        return max(1, int((1 - MARGIN) * self.total // (self.trial + self.context)))


@dataclass(frozen=True)
class Sharing:
    """``trials`` share a GPU; ``throughput`` has images per second of all, by how many at once."""

    trials: int
    memory: Memory
    throughput: dict[int, float]

    @property
    def share(self) -> float:
        """Of a GPU, for one trial."""
        return 1 / self.trials

    def describe(self) -> str:
        """What was measured, in a line."""
        each = self.memory.trial + self.memory.context
        rates = ", ".join(f"{n} at once {rate:.0f}" for n, rate in self.throughput.items())
        return (
            f"{self.trials} per GPU. The costliest trial takes {each:.0f} of "
            f"{self.memory.total:.0f} MB: {self.memory.fits} fit. Images per second: {rates}."
        )


def measure_sharing(memory: Memory, throughput: Callable[[int], float], *, at_most: int) -> Sharing:
    """Twice as many trials for as long as they fit and bring at least a tenth more throughput.

    Args:
        memory: of the costliest trial.
        throughput: measures images per second of that many trials at once, all together; 0 where
            they ran out of memory.
        at_most: trials per GPU for which there are CPUs.
    """
    best, measured = 1, {1: throughput(1)}
    while 2 * best <= min(memory.fits, at_most):
        measured[2 * best] = throughput(2 * best)
        if measured[2 * best] < WORTH * measured[best]:
            break
        best *= 2
    return Sharing(best, memory, measured)
