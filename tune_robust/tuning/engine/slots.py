"""The resources of each trial of a search, and how many trials run at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Node(NamedTuple):
    """The resources of one machine."""

    cpus: int
    gpus: int


@dataclass(frozen=True)
class Slots:
    """``cpus``: threads of a trial; ``gpus``: its fraction of a GPU, or how many GPUs."""

    cpus: int
    gpus: float
    concurrency: int

    def halved(self) -> Slots | None:
        """Return half as many slots, each with twice the fraction of a GPU.

        Returns None if this is not possible: a trial has a complete GPU already or, without GPUs,
        runs alone. The fraction doubles because Ray packs small fractions onto one GPU, and because
        a trial's memory is limited to its fraction.
        """
        if self.gpus >= 1 or (not self.gpus and self.concurrency == 1):
            return None
        return Slots(self.cpus, min(1.0, 2 * self.gpus), max(1, self.concurrency // 2))

    def describe(self) -> str:
        """Return a text such as ``4 at a time, 1 CPU and 0.25 GPU each``."""
        gpus = f" and {self.gpus:g} GPU" if self.gpus else ""
        return f"{self.concurrency} at a time, {self.cpus} CPU{gpus} each"


def fit_slots(cpus: int, gpus: float, concurrency: int | None, nodes: Sequence[Node]) -> Slots:
    """Return as many slots as fit on the nodes, each on one node.

    If no node has a GPU, trials run on the CPU.
    """
    gpus = gpus if any(node.gpus for node in nodes) else 0.0
    cpus = min(cpus, max(node.cpus for node in nodes))
    holds = sum(_on_node(cpus, gpus, node) for node in nodes)
    return Slots(cpus, gpus, max(1, min(holds, concurrency or holds)))


def _on_node(cpus: int, gpus: float, node: Node) -> int:
    holds = node.cpus // cpus
    return min(holds, _on_gpus(gpus, node.gpus)) if gpus else holds


def _on_gpus(gpus: float, have: int) -> int:
    """Return how many fractions fit on whole GPUs: two of 0.6 need two GPUs."""
    return have * int(1 / gpus + 1e-9) if gpus < 1 else int(have // gpus)
