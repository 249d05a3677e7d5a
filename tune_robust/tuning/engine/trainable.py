"""One trial as a Ray Tune class trainable, run in an actor that is reused for the next trial."""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from ray import tune
from ray._raylet import setproctitle  # type: ignore[attr-defined]  # written in Cython

from tune_robust.config import DataConfig, TrainConfig
from tune_robust.data import Splits, load_dataset, make_splits
from tune_robust.data.cache_folder import received
from tune_robust.errors import UserError
from tune_robust.own import Code, use_code
from tune_robust.runs.checkpoints import Checkpoints, Owner, open_checkpoints
from tune_robust.runs.predictions import KeptPredictions
from tune_robust.spaces.objective import Objective
from tune_robust.training import Checkpoint, EpochResult, train


class TrialRunner(tune.Trainable):
    """Trains one configuration, one epoch a step, checkpointing into the run's own folder.

    Ray's config is ``{"run", "trial", "label", "config", "checkpoints", "predictions", "cache",
    "objective", "cpus", "gpus", "process"}``. A trial that has checkpoints goes on from the newest
    good one, whoever restarted it, and reports that checkpoint's epoch again first, so that no
    epoch is missing from the store.

    A mistake in training is reported as a result with ``error``, and with ``out_of_memory`` where
    the GPU was too small; a checkpoint that could not be written as ``unsaved``: (errno, message,
    file).
    """

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """What Ray sets aside for the trial, on one node.

        Only trials that ask for the very same follow each other in one process: a few bytes of
        memory, which nobody will miss, tell those apart that shall not.
        """
        bundle = {"CPU": config["cpus"], "GPU": config["gpus"], "memory": config["process"]}
        return tune.PlacementGroupFactory([{what: n for what, n in bundle.items() if n}])

    def setup(
        self,
        config: dict[str, Any],
        environment: Mapping[str, str] | None = None,
        code: Code | None = None,
    ) -> None:
        """Prepare the trial; Ray calls it in a new actor.

        ``environment``: variables that this process needs, such as a storage's credentials.
        ``code``: the source of the user's own parts.
        """
        os.environ.update(environment or {})
        use_code(code)
        # What is imported stays: collecting garbage between trials need not look at it again, which
        # would take longer than all else between them.
        gc.freeze()
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Prepare the next trial in the same actor, with nothing left of the one before."""
        self.cleanup()
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train one epoch."""
        # Ray's label of an actor stays its first trial's: the process is named after the trial.
        setproctitle(f"ray::{self._label}")
        try:
            result = next(self._epochs)
        except _Unsaved as error:
            return {"trial": self._trial, "unsaved": error.args}
        except Exception as error:
            too_large = _is_out_of_memory(error)
            if not too_large and _has_broken_cuda(error):
                raise  # Ray ends this process, and the conductor retries the trial in a new one
            explained = str(error) if too_large else _explain(error)
            return {"trial": self._trial, "error": explained, "out_of_memory": too_large}
        return {"trial": self._trial, **result}

    def cleanup(self) -> None:
        """Drop the network and the data that only this trial used."""
        self._epochs: Iterator[dict[str, Any]] = iter(())
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def __repr__(self) -> str:
        """The actor's label in Ray's dashboard, asked for once."""
        return self._label

    def _begin(self, config: dict[str, Any]) -> None:
        self._trial, self._label = config["trial"], config["label"]
        _stay_within(config["gpus"])
        train_config = TrainConfig.model_validate(config["config"])
        objective = Objective(**config["objective"])
        self._epochs = _epochs(
            train_config,
            open_checkpoints(
                config["checkpoints"],
                objective,
                Owner(config["run"], self._trial, train_config),
            ),
            KeptPredictions(
                **config["predictions"],
                trial=self._trial,
                total_epochs=train_config.total_epochs,
                objective=objective,
                config=config["config"],
            ),
            received(config["cache"]),
            config["known"],
        )


class _Unsaved(Exception):
    """A checkpoint could not be written: the storage's fault, and not the trial's."""


def _stay_within(gpus: float) -> None:
    """Shares of a GPU are bookkeeping to Ray: bound this process to its own, to spare others."""
    if gpus and torch.cuda.is_available():
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(tensor_share(gpus, total))


CUDA_CONTEXT = 600 * 2**20
"""Bytes that a process takes on a GPU beside its tensors: the driver's context and kernels."""


def tensor_share(gpus: float, total: int) -> float:
    """The fraction of a GPU of ``total`` bytes that the tensors of a trial may take.

    That is its own fraction ``gpus`` of the GPU less the CUDA context of its process, and at least
    half of that fraction on a small GPU. A trial with a whole GPU is bounded by the GPU itself.
    """
    return 1.0 if gpus >= 1 else max(gpus / 2, gpus - CUDA_CONTEXT / total)


_OUT_OF_MEMORY = (
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    # cuDNN where no algorithm's workspace fits into the memory that is left.
    "unable to find an engine",
    "Unable to find a valid cuDNN algorithm",
)
"""What the CUDA libraries say when memory runs out; PyTorch's allocator has an error type."""

_CUDA_ERRORS = ("CUDA error", "CUBLAS_STATUS_", "CUDNN_STATUS_", "cuDNN error", "CUSOLVER_STATUS_")


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or _says(error, _OUT_OF_MEMORY)


def _has_broken_cuda(error: Exception) -> bool:
    """Whether CUDA may be unusable in this process from now on, as after a failed kernel."""
    return isinstance(error, torch.AcceleratorError) or _says(error, _CUDA_ERRORS)


def _says(error: Exception, texts: Sequence[str]) -> bool:
    return any(text in str(error) for text in texts)


def _epochs(
    config: TrainConfig,
    checkpoints: Checkpoints,
    predictions: KeptPredictions,
    cache: Path,
    known: int,
) -> Iterator[dict[str, Any]]:
    """Reports of the epochs, first those that the search lost with its machine: all above ``known``
    that the checkpoint tells of, and in any case its own.
    """
    found, resume = checkpoints.newest(), None
    if checkpoints.notes:
        yield {"note": ". ".join(checkpoints.notes)}
    if found is not None:
        resume, saved = found
        for epoch, metrics in enumerate(saved.earlier, 1):
            if epoch > known:
                yield {"epoch": epoch, **metrics}
        yield _report(saved, config)
    splits = _splits(config.data, cache)
    for result in train(config, resume=resume, splits=splits):
        try:
            # Before the checkpoint: an epoch whose predictions are not there is trained again.
            predictions.save(result, splits.validation)
            checkpoints.save(result)
        except OSError as error:
            raise _Unsaved(error.errno, error.strerror, str(error.filename)) from error
        yield _report(result, config)


def _report(result: EpochResult | Checkpoint, config: TrainConfig) -> dict[str, Any]:
    """What the search records of an epoch; how confidence holds, of the last one alone."""
    report: dict[str, Any] = {"epoch": result.epoch, **result.metrics}
    if result.epoch == config.total_epochs and result.reliability:
        report["reliability"] = result.reliability
    return report


@lru_cache(maxsize=1)
def _splits(data: DataConfig, cache: Path) -> Splits:
    """All trials of a search share one split: the actor loads it once."""
    return make_splits(data, load_dataset(data, cache))


def _explain(error: Exception) -> str:
    if isinstance(error, UserError):
        return str(error)
    return "".join(traceback.format_exception(error))
