"""How many trials run at a time on the available machines, and the resources of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.provenance import gpu_names
from tune_robust.spaces.space import Space
from tune_robust.tuning.engine.slots import Node, Slots, fit_slots
from tune_robust.tuning.engine.watching import Watcher


def slots_of_run(space: Space, folder: RunFolder, cache: Path, watcher: Watcher) -> Slots:
    """Return the slots in run.json, or new ones if the machines or the resources have changed.

    Raises:
        UserError: the cluster has no CPUs.
    """
    from tune_robust.tuning.engine.ray_session import live_nodes

    nodes = live_nodes()
    if not nodes:
        raise UserError("the cluster has no node with CPUs yet. Try again once one has joined.")
    machines = {"nodes": [list(node) for node in nodes], "gpus": gpu_names()}
    meta = folder.read_meta()
    asked_before = Space.from_document(meta["space"]).resources
    if "slots" in meta and meta.get("slots_on") == machines and space.resources == asked_before:
        return Slots(**meta["slots"])
    slots = new_slots(space, cache, nodes, watcher)
    folder.write_meta({**meta, "slots_on": machines})
    return slots


def new_slots(space: Space, cache: Path, nodes: Sequence[Node], watcher: Watcher) -> Slots:
    """Return the slots for the space's resources on these nodes; ``gpus: auto`` is measured."""
    wanted = space.resources
    gpus = wanted.gpus
    if gpus == "auto":
        gpus = _measured_fraction(space, cache, nodes, watcher)
    return fit_slots(wanted, gpus, nodes)


def check_limits(space: Space, slots: Slots) -> None:
    """Check that the limits of the budget and the sizes of batches apply to these slots.

    Raises:
        UserError: ``gpu_hours`` is given, and the trials run on the CPU; or a batch cannot be
            divided among the processes of a trial.
    """
    if space.budget.gpu_hours is not None and not slots.gpus:
        raise UserError(
            f"budget.gpu_hours: found {space.budget.gpu_hours:g}, and there is no GPU here, so the "
            "trials would run on the CPU. Limit the time of the search with budget.hours instead, "
            "or join a cluster that has GPUs."
        )
    for config in [] if space.has_loop else space.examples:
        if config.batch_size % slots.processes:
            raise UserError(
                f"batch_size: found {config.batch_size}, which cannot be divided among "
                f"{slots.processes} processes. Choose multiples of {slots.processes}, as in "
                f"train.batch_size: {-(-config.batch_size // slots.processes) * slots.processes}."
            )


def _measured_fraction(space: Space, cache: Path, nodes: Sequence[Node], watcher: Watcher) -> float:
    """Measure on the node with a GPU and the most CPUs; return 0 if there is no GPU."""
    from tune_robust.tuning.engine.gpu_probe import sharing_of_gpu

    node = max((node for node in nodes if node.gpus), default=None)
    if node is None:
        return 0.0
    watcher.note("Measuring how many trials should share one GPU ...")
    cpus = min(space.resources.cpus, node.cpus)
    at_most = max(1, node.cpus // (cpus * node.gpus))
    sharing = sharing_of_gpu(space, cache, cpus=cpus, at_most=at_most)
    watcher.note(sharing.describe())
    return sharing.fraction
