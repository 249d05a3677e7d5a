"""Time the epochs of each kind of trial, with as many trials at once as in a search.

Two trials on two cores, or four on a GPU, slow each other down, so that a single trial would be too
fast.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import fmean
from threading import BrokenBarrierError

from tune_robust.config import DataConfig, TrainConfig
from tune_robust.data import Splits, load_dataset, make_splits
from tune_robust.training.timing import EpochTime, time_epoch
from tune_robust.tuning.simulation.kinds import Kind

_PATIENCE = 900.0
"""Seconds to wait for the other processes, enough for the warm-up of a slow kind."""


@dataclass(frozen=True)
class Times:
    """Mean times by kind, over concurrent trials; ``start``: seconds until they could train."""

    epochs: Mapping[Kind, EpochTime]
    start: float


def time_kinds(
    configs: Mapping[Kind, TrainConfig], cache: Path, *, at_a_time: int, gpus: int, seconds: float
) -> Times:
    """Time an epoch of each of ``configs``, trained by ``at_a_time`` processes at once.

    Args:
        configs: one configuration of each kind.
        cache: the folder of decoded data sets.
        at_a_time: how many trials run at once.
        gpus: the number of GPUs over which the trials are distributed; 0 trains on the CPU.
        seconds: the seconds of training per kind.
    """
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(at_a_time)
    began = time.time()
    with ProcessPoolExecutor(at_a_time, context, _share, (together,)) as pool:
        jobs = [
            pool.submit(_time_all, list(configs.values()), cache, gpus and number % gpus, seconds)
            for number in range(at_a_time)
        ]
        results = _results(jobs)
    ready = max(ready for ready, _ in results)
    each_kind = zip(*(timed for _, timed in results), strict=True)
    return Times(dict(zip(configs, map(_mean, each_kind), strict=True)), ready - began)


def _mean(timed: Sequence[EpochTime]) -> EpochTime:
    return EpochTime(
        fmean(one.seconds for one in timed), max(one.checkpoint_bytes for one in timed)
    )


def _results(jobs: Sequence[Future]) -> list[tuple[float, list[EpochTime]]]:
    """Return all results, or raise the original error if one failed."""
    errors = [error for job in jobs if (error := job.exception()) is not None]
    if errors:
        raise min(errors, key=lambda error: isinstance(error, BrokenBarrierError))
    return [job.result() for job in jobs]


# --- in each process ------------------------------------------------------------------------------


_together: Barrier
"""The barrier at which the processes wait for each other, passed to each at its start."""


def _share(together: Barrier) -> None:
    global _together
    _together = together


def _time_all(
    configs: Sequence[TrainConfig], cache: Path, gpu: int, seconds: float
) -> tuple[float, list[EpochTime]]:
    """Return when this process was ready, and the times of the configurations."""
    _see_only(gpu)
    try:
        _splits(configs[0].data, cache)
        ready = time.time()
        timed = []
        for config in configs:
            splits = _splits(config.data, cache)
            _together.wait(_PATIENCE)
            timed.append(time_epoch(config, splits, seconds=seconds))
    except BaseException:
        _together.abort()
        raise
    return ready, timed


def _see_only(gpu: int) -> None:
    """Restrict this process to one GPU, before CUDA is initialised."""
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    os.environ["CUDA_VISIBLE_DEVICES"] = visible[gpu] if visible else str(gpu)


@lru_cache(maxsize=1)
def _splits(data: DataConfig, cache: Path) -> Splits:
    return make_splits(data, load_dataset(data, cache))
