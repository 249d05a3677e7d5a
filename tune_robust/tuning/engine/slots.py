"""The resources of each trial of a search, and how many trials run at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from tune_robust.errors import UserError
from tune_robust.spaces.sections import Resources


class Node(NamedTuple):
    """The resources of one machine."""

    cpus: int
    gpus: int


@dataclass(frozen=True)
class Slots:
    """The resources of each of ``concurrency`` trials.

    ``cpus``: threads of each of its ``processes``; ``gpus``: its fraction of a GPU, or how many
    GPUs.
    """

    cpus: int
    gpus: float
    concurrency: int
    processes: int = 1

    def halved(self) -> Slots | None:
        """Return half as many slots, each with twice the fraction of a GPU.

        Returns None if this is not possible: a trial has a complete GPU already or, without GPUs,
        runs alone. The fraction doubles because Ray packs small fractions onto one GPU, and because
        a trial's memory is limited to its fraction.
        """
        if self.gpus >= 1 or (not self.gpus and self.concurrency == 1):
            return None
        gpus, concurrency = min(1.0, 2 * self.gpus), max(1, self.concurrency // 2)
        return replace(self, gpus=gpus, concurrency=concurrency)

    def describe(self) -> str:
        """Return a text such as ``4 at a time, 1 CPU and 0.25 GPU each``."""
        gpus = f" and {self.gpus:g} GPU" if self.gpus else ""
        several = f" in {self.processes} processes" if self.processes > 1 else ""
        cpus = self.cpus * self.processes
        return f"{self.concurrency} at a time, {cpus} CPU{gpus} each{several}"


def fit_slots(resources: Resources, gpus: float, nodes: Sequence[Node]) -> Slots:
    """Return as many slots as fit on the nodes, each on one node.

    If no node has a GPU, trials run on the CPU.

    Args:
        resources: what the space asks for.
        gpus: its ``gpus``, measured if they are ``auto``.
        nodes: the machines, at least one.

    Raises:
        UserError: a trial of several processes fits on no node.
    """
    gpus = gpus if any(node.gpus for node in nodes) else 0.0
    processes = resources.processes or max(1, int(gpus))
    cpus = min(resources.cpus, max(1, max(node.cpus for node in nodes) // processes))
    holds = sum(_on_node(cpus * processes, gpus, node) for node in nodes)
    if processes > 1 and not holds:
        raise UserError(_too_few(processes, gpus, nodes))
    at_most = resources.concurrency or holds
    return Slots(cpus, gpus, max(1, min(holds, at_most)), processes)


def _too_few(processes: int, gpus: float, nodes: Sequence[Node]) -> str:
    cpus, most = max(node.cpus for node in nodes), max(node.gpus for node in nodes)
    if gpus > most:
        return (
            f"resources.gpus: found {gpus:g}, and no machine here has more than {most}. A trial "
            f"runs on one machine: set resources.gpus to at most {most}."
        )
    return (
        f"a trial of {processes} processes needs {processes} CPUs on one machine, and none here "
        f"has more than {cpus} beside its GPUs. Choose fewer processes (resources.processes, "
        "resources.gpus)."
    )


def _on_node(cpus: int, gpus: float, node: Node) -> int:
    holds = node.cpus // cpus
    return min(holds, _on_gpus(gpus, node.gpus)) if gpus else holds


def _on_gpus(gpus: float, have: int) -> int:
    """Return how many fractions fit on whole GPUs: two of 0.6 need two GPUs."""
    return have * int(1 / gpus + 1e-9) if gpus < 1 else int(have // gpus)
