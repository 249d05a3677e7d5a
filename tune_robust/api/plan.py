"""Estimate the time and cost of a search by a measurement on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tune_robust.api.own_code import new_code
from tune_robust.api.plan_of_loop import plan_of_loop
from tune_robust.api.spaces import SpaceLike, load_space
from tune_robust.api.watching import ProgressLike, watcher_of
from tune_robust.formatting import count
from tune_robust.runs.naming import STORAGE
from tune_robust.spaces.overrides import Overrides

if TYPE_CHECKING:
    from tune_robust.config import TrainConfig
    from tune_robust.spaces.space import Space
    from tune_robust.tuning.engine.slots import Slots
    from tune_robust.tuning.engine.watching import Watcher
    from tune_robust.tuning.simulation.kinds import Kind
    from tune_robust.tuning.simulation.plan import Course

RAY_AND_REPORT = 9.0
"""Seconds of a search in addition to its trials: the start and end of Ray, and the report."""


def plan(
    space: SpaceLike,
    *,
    trials: int | None = None,
    settings: Overrides | None = None,
    data_dir: str | Path | None = None,
    download: bool = True,
    seconds: float = 4.0,
    price: float | None = None,
    code: str | Path | None = None,
    storage: str | Path = STORAGE,
    progress: ProgressLike = True,
) -> dict[str, Any]:
    """Estimate the time and cost of a search from a few training steps of each method.

    This trains for some seconds and stores only the decoded data set.

    Args:
        space: the name of a built-in space, the path of a YAML file, or the same as a mapping.
        trials: the number of trials; by default as many as in the space.
        settings: changes to the space, as in ``search``.
        data_dir: the folder of the data set.
        download: whether missing data may be downloaded.
        seconds: how long to time each kind of trial.
        code: the folder with the modules of own parts, as in ``search``.
        price: the price of an hour of this machine, to compute the cost of the search.
        storage: the folder or URI next to which the decoded data is cached.
        progress: as in ``search``.

    Returns:
        Plain data: the time of each kind of trial (``kinds``); of the search ``without_stopping``
        and as ``expected`` with the space's scheduler, not considering its ``repeats``, the hours,
        the hours on GPUs, the gradient evaluations (passes over the training set), the cost, and
        how many trials are ``started`` and ``finished`` within the budget's ``hours`` and
        ``gpu_hours``; its ``rungs``; the disk space of checkpoints and data, in bytes; the bytes of
        the ``images`` of a trial and their ``tier``: ``device`` if they are kept in the memory of
        its GPU (or CPU), ``host`` if they are read in batches from the decoded file, ``compressed``
        if they are decoded for each batch; and what is odd about the data (``cautions``), as the
        search would warn. For a loop of one's own there are no times: it has the ``reports`` of a
        complete trial, those of the search ``without_stopping`` and as ``expected``, and the
        ``rungs``, with each report as one gradient evaluation.

    Raises:
        UserError: the space is not valid, or the data is missing; ``budget.gpu_hours`` is given on
            a machine without a GPU; or the budget of a loop of one's own is in seconds.
    """
    from tune_robust.cache_folder import cache_of
    from tune_robust.runs.disk import predictions_bytes, predictions_memory
    from tune_robust.tuning.engine.allocation import check_limits
    from tune_robust.tuning.engine.preparing import one_of_each_data, one_of_each_own, prepare
    from tune_robust.tuning.simulation.kinds import kinds_of
    from tune_robust.tuning.simulation.plan import checkpoints_bytes, expected_course

    loaded = load_space(
        space, trials=trials, settings=settings, data_dir=data_dir, download=download
    )
    storage, watcher = str(storage), watcher_of(progress)
    new_code(loaded, code)
    if loaded.has_loop:
        return plan_of_loop(loaded)

    import torch

    from tune_robust.tuning.simulation.trial_times import time_kinds

    data = prepare(one_of_each_data(loaded), storage, one_of_each_own(loaded))
    cpus, gpus = os.cpu_count() or 1, torch.cuda.device_count()
    slots = _slots(loaded, storage, cpus, gpus, watcher)
    check_limits(loaded, slots)
    at_a_time = min(slots.concurrency, loaded.trials)
    configs = kinds_of(loaded)
    watcher.note(f"Timing {count(len(configs), 'kind')} of trials ...")
    # Each process of a trial trains its part of the batches; their communication is not timed.
    processes = slots.processes
    times = time_kinds(
        configs,
        cache_of(storage),
        at_a_time=at_a_time * processes,
        gpus=gpus,
        seconds=seconds,
    )
    epoch_seconds = {kind: timed.seconds / processes for kind, timed in times.epochs.items()}
    start = times.start + RAY_AND_REPORT
    given: dict[str, Any] = {"at_a_time": at_a_time, "gpus": slots.gpus, "start": start}
    full, expected = (
        expected_course(loaded, epoch_seconds, stopping=stopping, **given)
        for stopping in (False, True)
    )
    size_of_data, images = _data(configs.values(), storage, slots.gpus)
    size = max(timed.checkpoint_bytes for timed in times.epochs.values())
    return {
        "space": loaded.name,
        "cautions": data["cautions"],
        "trials": loaded.trials,
        "scheduler": loaded.budget.scheduler,
        "repeats": loaded.budget.repeats,
        "unit": loaded.budget.unit,
        "hours": loaded.budget.hours,
        "gpu_hours": loaded.budget.gpu_hours,
        "stop": loaded.budget.stop,
        "machine": {"cpus": cpus, "gpus": gpus},
        "slots": asdict(slots),
        "kinds": [_kind(kind, configs[kind], epoch_seconds[kind]) for kind in configs],
        "start_seconds": start,
        "without_stopping": _course(full, start, price),
        "expected": _course(expected, start, price),
        "rungs": [asdict(rung) for rung in expected.rungs],
        "checkpoint_bytes": size,
        "checkpoints_bytes": checkpoints_bytes(size, loaded, at_a_time),
        "predictions_bytes": predictions_bytes(loaded, cache_of(storage)),
        "predictions_memory": predictions_memory(loaded, cache_of(storage)),
        "data_bytes": size_of_data,
        "images": images,
    }


def _slots(space: Space, storage: str, cpus: int, gpus: int, watcher: Watcher) -> Slots:
    """Return the slots on this machine; only the sharing of a GPU is measured, with Ray."""
    from tune_robust.cache_folder import cache_of
    from tune_robust.tuning.engine.allocation import new_slots
    from tune_robust.tuning.engine.ray_session import ray_session
    from tune_robust.tuning.engine.slots import Node

    shared = bool(gpus) and space.resources.gpus == "auto"
    with ray_session(dashboard=False, verbose=False) if shared else nullcontext():
        return new_slots(space, cache_of(storage), [Node(cpus, gpus)], watcher)


def _kind(kind: Kind, config: TrainConfig, epoch: float) -> dict[str, Any]:
    return {
        "name": kind.name,
        "seconds_per_epoch": epoch,
        "seconds_per_gradient_evaluation": epoch / config.passes_per_step,
        "epochs": config.total_epochs,
        "gradient_evaluations": config.gradient_evaluations,
        "seconds": epoch * config.total_epochs,
    }


def _course(course: Course, start: float, price: float | None) -> dict[str, Any]:
    hours = (course.seconds + start) / 3600
    return {
        "hours": hours,
        "gpu_hours": course.gpu_seconds / 3600,
        "gradient_evaluations": course.gradient_evaluations,
        "started": course.started,
        "finished": course.finished,
        "money": None if price is None else price * hours,
    }


class _Data(NamedTuple):
    """The size of the data sets, and of the largest trial's images with where these are."""

    bytes: int
    images: dict[str, Any]


def _data(configs: Iterable[TrainConfig], storage: str, gpus: float) -> _Data:
    """Measure the data of ``configs``, of which each trial has a part on its fraction of a GPU."""
    from tune_robust.cache_folder import cache_of
    from tune_robust.data import load_dataset, make_splits
    from tune_robust.training import choose_device, fits_images

    sizes, trials = {}, []
    for data in {config.data.model_dump_json(): config.data for config in configs}.values():
        dataset = load_dataset(data, cache_of(storage))
        tensors = (part for images in dataset[:2] for part in (images.images, images.labels))
        sizes[data.dataset] = sum(tensor.nbytes for tensor in tensors)
        splits = make_splits(data, dataset)
        trials.append((splits.image_bytes, splits.compressed))
    size, compressed = max(trials)
    fraction = gpus if 0 < gpus < 1 else 1.0
    fits = fits_images(choose_device(), size / fraction)
    tier = "compressed" if compressed else "device" if fits else "host"
    return _Data(sum(sizes.values()), {"bytes": size, "tier": tier})
