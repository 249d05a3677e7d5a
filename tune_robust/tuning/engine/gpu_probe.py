"""Measure on a GPU how many trials should share it, for ``resources.gpus: auto``."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
import torch
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from tune_robust.cache_folder import received, sent
from tune_robust.config import TrainConfig
from tune_robust.data import LabelledImages, Splits, load_dataset, make_splits
from tune_robust.own import Code, use_code, used_code
from tune_robust.runs.disk import weight_count
from tune_robust.spaces.space import Space
from tune_robust.training import choose_device, fits_images, train
from tune_robust.tuning.engine.gpu_sharing import Memory, Sharing, measure_sharing

STEPS = 20
"""The number of batches of a measured epoch."""
EVALUATED = 1024
"""The number of validation images, and of test images, in a measured epoch."""
SECONDS = 5.0


def sharing_of_gpu(space: Space, cache: Path, *, cpus: int, at_most: int) -> Sharing:
    """Measure on one GPU how many trials of the space should share it.

    Args:
        space: the space, represented by its most expensive configuration.
        cache: the folder of decoded data.
        cpus: the CPUs of each trial.
        at_most: the largest number of trials per GPU for which there are CPUs.
    """
    config = costliest(space, cache)
    bundle = placement_group([{"GPU": 1, "CPU": cpus * at_most}])
    ray.get(bundle.ready())

    def together(count: int) -> list[Any]:
        """Start ``count`` trials on the GPU, and wait for the end of their first epoch."""
        options = {
            "num_cpus": cpus,
            "num_gpus": 1 / count,
            "scheduling_strategy": PlacementGroupSchedulingStrategy(bundle),
        }
        start = _Trial.options(**options)  # type: ignore[attr-defined]  # of ray.remote
        return [start.remote(config, sent(cache), used_code()) for _ in range(count)]

    def memory() -> Memory:
        trials = together(1)
        try:
            return ray.get(trials[0].memory.remote())
        finally:
            _end(trials)

    def throughput(count: int) -> float:
        trials = together(count)
        try:
            ray.get([trial.ready.remote() for trial in trials])
            return sum(ray.get([trial.images_per_second.remote() for trial in trials]))
        except torch.OutOfMemoryError:
            return 0.0
        finally:
            _end(trials)

    try:
        return measure_sharing(memory(), throughput, at_most=at_most)
    finally:
        remove_placement_group(bundle)


def _end(trials: list[Any]) -> None:
    for trial in trials:
        ray.kill(trial)


def costliest(space: Space, cache: Path) -> TrainConfig:
    """Return the configuration of the space with the largest batches and network."""

    def cost(config: TrainConfig) -> float:
        return config.batch_size * weight_count(config, cache) * config.passes_per_step

    return max(space.examples, key=cost)


@ray.remote
class _Trial:
    """A trial on a part of its data, without checkpoints."""

    def __init__(self, config: TrainConfig, cache: str | None, code: Code | None):
        use_code(code)
        whole = make_splits(config.data, load_dataset(config.data, received(cache)))
        part = shortened(whole, STEPS * config.batch_size)
        kept = not whole.compressed and fits_images(choose_device(), whole.image_bytes)
        self._left_out = whole.image_bytes - part.image_bytes if kept else 0
        self._images = len(part.train)
        self._epochs = train(config.model_copy(update={"epochs": 10**6}), splits=part)
        next(self._epochs)

    def ready(self) -> None:
        """Wait for the end of the first epoch, when memory is reserved and kernels are chosen."""

    def memory(self) -> Memory:
        """Measure the memory while the trial is alone; that of other programs counts as its own."""
        free, total = torch.cuda.mem_get_info()
        context = total - free - torch.cuda.memory_reserved()
        trial = torch.cuda.max_memory_reserved() + self._left_out
        return Memory(trial / 2**20, context / 2**20, total / 2**20)

    def images_per_second(self) -> float:
        """Measure the throughput for some seconds."""
        began, epochs = time.perf_counter(), 0
        while time.perf_counter() - began < SECONDS:
            next(self._epochs)
            epochs += 1
        return epochs * self._images / (time.perf_counter() - began)


def shortened(splits: Splits, images: int) -> Splits:
    """Return the first ``images`` training images, and a batch of each evaluated part."""

    def first(part: LabelledImages, count: int) -> LabelledImages:
        return part.take(torch.arange(min(count, len(part))))

    return replace(
        splits,
        train=first(splits.train, images),
        validation=first(splits.validation, EVALUATED),
        test=first(splits.test, EVALUATED),
    )
