"""A trial of the built-in training loop, in an actor that is reused for the next trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import lru_cache, partial
from pathlib import Path
from threading import Event
from typing import Any

import torch
from ray import cloudpickle

from tune_robust.cache_folder import received
from tune_robust.config import DataConfig, TrainConfig
from tune_robust.data import Splits, load_dataset, make_splits
from tune_robust.runs.checkpoints import AnyCheckpoint, Checkpoints, Owner, open_checkpoints
from tune_robust.runs.predictions import KeptPredictions
from tune_robust.spaces.objective import Objective
from tune_robust.training import (
    Copies,
    EpochResult,
    ProcessLost,
    ahead,
    train,
    train_together,
)
from tune_robust.tuning.engine.following import load_splits
from tune_robust.tuning.engine.runner import Runner, Unsaved, reported_again

Results = Callable[[TrainConfig, Path | None, Path, Event], Iterator[EpochResult]]
"""Trains a configuration, from a checkpoint if any, on data in a cache, until the event is set."""


class TrialRunner(Runner):
    """Trains one configuration, one epoch per step, with checkpoints in the run's folder."""

    def cleanup(self) -> None:
        """Release the network and the data that only this trial used."""
        super().cleanup()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def _begin(self, config: dict[str, Any]) -> Iterator[dict[str, Any]]:
        _stay_within(config["gpus"])
        train_config = TrainConfig.model_validate(config["config"])
        objective = Objective(**config["objective"])
        return _epochs(
            train_config,
            open_checkpoints(
                config["checkpoints"],
                objective,
                Owner(config["run"], config["trial"], train_config, config["continues"]),
            ),
            KeptPredictions(
                **config["predictions"],
                trial=config["trial"],
                total_epochs=train_config.total_epochs,
                objective=objective,
                config=config["config"],
            ),
            received(config["cache"]),
            config["known"],
            0 if config["continues"] is None else config["continues"][1],
            partial(self._results, config["processes"]),
        )

    def _results(
        self,
        processes: int,
        config: TrainConfig,
        resume: Path | None,
        cache: Path,
        stop: Event,
    ) -> Iterator[EpochResult]:
        splits = _splits(config.data, cache)
        if processes == 1:
            return train(config, resume=resume, splits=splits, stop=stop)
        functions = cloudpickle.dumps(self._functions)
        load = partial(load_splits, config.data, cache, self._code, functions)
        return train_together(config, processes, load=load, resume=resume, splits=splits, stop=stop)

    def _failed(self, error: Exception) -> dict[str, Any]:
        """As ``Runner._failed``; the trial goes on in a new process if another one was lost."""
        if isinstance(error, ProcessLost):
            raise error
        return super()._failed(error)


def _stay_within(gpus: float) -> None:
    """Limit this process to its fraction of a GPU, which Ray does not enforce."""
    if gpus and torch.cuda.is_available():
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(tensor_share(gpus, total))


CUDA_CONTEXT = 600 * 2**20
"""Bytes of a process on a GPU in addition to tensors: the driver's context and kernels."""


def tensor_share(gpus: float, total: int) -> float:
    """Return the fraction of a GPU of ``total`` bytes that the tensors of a trial may use.

    This is its fraction ``gpus`` of the GPU minus the CUDA context of its process, and on a small
    GPU at least half of that fraction. A trial with a complete GPU is limited only by the GPU
    itself.
    """
    return 1.0 if gpus >= 1 else max(gpus / 2, gpus - CUDA_CONTEXT / total)


def _epochs(
    config: TrainConfig,
    checkpoints: Checkpoints,
    predictions: KeptPredictions,
    cache: Path,
    known: int,
    begins_after: int,
    results: Results,
) -> Iterator[dict[str, Any]]:
    """Yield reports of the epochs.

    The first are those in the checkpoint that the search lost with its machine, all above
    ``known``, and in any case the checkpoint's own epoch, unless another trial has trained it, up
    to ``begins_after``. An epoch is reported when its checkpoint is on disk.
    """
    resume = None
    found = yield from reported_again(
        checkpoints, known, lambda epoch, metrics: {"epoch": epoch, **metrics}
    )
    if found is not None:
        resume, saved = found
        if saved.epoch > begins_after:
            yield _report(saved, config)
    validation = _splits(config.data, cache).validation
    # The next epoch is trained while this one is written and reported.
    with closing(ahead(partial(_snapshots, results, config, resume, cache))) as snapshots:
        for result in snapshots:
            try:
                # Before the checkpoint, so that an epoch without predictions is trained again.
                predictions.save(result, validation)
                checkpoints.save(result)
            except OSError as error:
                raise Unsaved(error.errno, error.strerror, str(error.filename)) from error
            yield _report(result, config)


def _snapshots(
    results: Results, config: TrainConfig, resume: Path | None, cache: Path, stop: Event
) -> Iterator[EpochResult]:
    copies = Copies()
    for result in results(config, resume, cache, stop):
        yield result.snapshot(copies)


def _report(result: EpochResult | AnyCheckpoint, config: TrainConfig) -> dict[str, Any]:
    """Return what the search records of an epoch; only the last one has its calibration."""
    report: dict[str, Any] = {"epoch": result.epoch, **result.metrics}
    if result.epoch == config.total_epochs and result.reliability:
        report["reliability"] = result.reliability
    return report


@lru_cache(maxsize=1)
def _splits(data: DataConfig, cache: Path) -> Splits:
    """Return the split, which an actor loads once for all trials of a search."""
    return make_splits(data, load_dataset(data, cache))
