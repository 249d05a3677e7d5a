"""Check that the disk has enough space for the checkpoints and predictions of a search."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from tune_robust.config import OwnModel, SgdConfig, TrainConfig
from tune_robust.data import load_dataset
from tune_robust.data.splits import held_out_for_test, validation_size
from tune_robust.errors import UserError
from tune_robust.models import build_network
from tune_robust.runs.agreement import MOST
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.retention import FILES, most_kept
from tune_robust.spaces.space import Space

_SIZES = {"model", "optimizer", "average", "data"}
"""The settings that a checkpoint's size depends on."""


def weight_count(config: TrainConfig, cache: Path) -> int:
    """Return the number of weights in the network of ``config``.

    A network of the user's own is created for that; the others are not.
    """
    dataset = load_dataset(config.data, cache)
    inputs, classes, fields = dataset.train.images[:1], len(dataset.classes), dataset.train.fields
    shapes = None if fields is None else fields.shapes
    if isinstance(config.model, OwnModel):  # which may not be made without memory
        with torch.random.fork_rng(devices=[]):
            network = build_network(config.model, inputs=inputs, classes=classes, shapes=shapes)
    else:
        untrained = config.model.model_copy(update={"weights": None})
        with torch.device("meta"):
            network = build_network(untrained, inputs=inputs, classes=classes, shapes=shapes)
    return sum(p.numel() for p in network.parameters())


def checkpoint_bytes(config: TrainConfig, cache: Path) -> int:
    """Return the minimum size of a checkpoint: weights, optimizer state and average."""
    optimizer = config.optimizer
    states = bool(optimizer.momentum) if isinstance(optimizer, SgdConfig) else 2
    copies = 1 + states + (config.average is not None)
    return 4 * copies * weight_count(config, cache)


def predictions_bytes(space: Space, cache: Path) -> int:
    """Return the maximum size of all trials' predictions: 16 bits per image and class each."""
    moments = len(space.record.predictions)
    if not moments:
        return 0
    images, classes = _predicted(space, cache)
    return 2 * images * classes * moments * space.total_trials


def predictions_memory(space: Space, cache: Path) -> int:
    """Return the bytes of memory that a search takes to compare its trials' predictions.

    It reads one file at a time and keeps the predicted classes of some of the best trials, so that
    this does not grow with the number of trials.
    """
    if not space.record.predictions:
        return 0
    images, classes = _predicted(space, cache)
    file_and_content = 2 * 2 * images * classes
    return file_and_content + 8 * images * min(MOST, space.trials)


def _predicted(space: Space, cache: Path) -> tuple[int, int]:
    """Return the numbers of validation images and of classes."""
    data = space.examples[0].data
    dataset = load_dataset(data, cache)
    tested = len(held_out_for_test(data, dataset))
    return validation_size(data, len(dataset.train.labels) - tested), len(dataset.classes)


def check_disk(space: Space, folder: RunFolder, cache: Path, *, concurrency: int) -> str | None:
    """Return a warning if the disk may become full, else None.

    The disk holds at most ``FILES`` checkpoints of each running trial and of the finished or
    paused ones that keep theirs, and one more of each running trial while it is being written. The
    best is often the same file as another one, so that only two take space. The predictions of all
    trials are kept.

    Raises:
        UserError: there is too little space even for that.
    """
    if not folder.checkpoints_are_here:
        return None
    networks = {config.model_dump_json(include=_SIZES): config for config in space.examples}
    largest = max(checkpoint_bytes(config, cache) for config in networks.values())
    trials = concurrency + most_kept(space)
    there = sum(p.stat().st_size for p in folder.path.glob("checkpoints/*/*"))
    # A run that does not exist yet will be on the disk of its storage.
    disk = folder.path if folder.path.exists() else folder.path.parent
    free = shutil.disk_usage(disk).free + there
    least = (FILES - 1) * trials * largest
    predictions = predictions_bytes(space, cache)
    most = (FILES * trials + concurrency) * largest + predictions
    if most <= free:
        return None
    also = f"and {predictions / 1e6:.0f} MB of predictions " if predictions else ""
    pauses = space.budget.pauses
    kept = "finished or paused" if pauses else "finished"
    numbers = (
        f"the checkpoints of {concurrency} running and {trials - concurrency} {kept} trials, "
        f"{largest / 1e6:.0f} MB each, {also}take up to {most / 1e6:.0f} MB; "
        f"{folder.path} has {free / 1e6:.0f} MB for them"
    )
    if least <= free:
        return f"The disk may become full: {numbers}."
    raise UserError(
        f"the disk is too small: {numbers}. Make space and give the same command again, or search "
        "with another --storage, a smaller model or a smaller resources.concurrency"
        f"{', or without paused trials: --set budget.scheduler=asha' if pauses else ''}."
    )
