"""What each trial of a search gets of the machines, and how many run at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Node(NamedTuple):
    """What one machine has."""

    cpus: int
    gpus: int


@dataclass(frozen=True)
class Slots:
    """``cpus``: threads of a trial; ``gpus``: its share of a GPU (0 to 1), or how many GPUs."""

    cpus: int
    gpus: float
    concurrency: int

    def halved(self) -> Slots | None:
        """Half as many at a time, each with twice the share of a GPU.

        None when there is no more to give: a trial has a whole GPU already or, without GPUs, runs
        alone. The share grows with it because Ray packs small shares onto one GPU and because a
        trial's memory is bounded to its share.
        """
        if self.gpus >= 1 or (not self.gpus and self.concurrency == 1):
            return None
        return Slots(self.cpus, min(1.0, 2 * self.gpus), max(1, self.concurrency // 2))

    def describe(self) -> str:
        """As in ``4 at a time, 1 CPU and 0.25 GPU each``."""
        gpus = f" and {self.gpus:g} GPU" if self.gpus else ""
        return f"{self.concurrency} at a time, {self.cpus} CPU{gpus} each"


def fit_slots(cpus: int, gpus: float, concurrency: int | None, nodes: Sequence[Node]) -> Slots:
    """As many trials at a time as the nodes hold, each trial on one of them.

    Without a GPU anywhere they run on the CPU.
    """
    gpus = gpus if any(node.gpus for node in nodes) else 0.0
    cpus = min(cpus, max(node.cpus for node in nodes))
    holds = sum(_on_node(cpus, gpus, node) for node in nodes)
    return Slots(cpus, gpus, max(1, min(holds, concurrency or holds)))


def _on_node(cpus: int, gpus: float, node: Node) -> int:
    holds = node.cpus // cpus
    return min(holds, _on_gpus(gpus, node.gpus)) if gpus else holds


def _on_gpus(gpus: float, have: int) -> int:
    """A share lies on one GPU: two of 0.6 do not make use of what is left of two GPUs."""
    return have * int(1 / gpus + 1e-9) if gpus < 1 else int(have // gpus)
