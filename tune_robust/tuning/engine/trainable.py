"""A trial as a class trainable of Ray Tune, in an actor that is reused for the next trial."""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
from tune_robust.runs.checkpoints import Checkpoints, Owner, open_checkpoints
from tune_robust.runs.predictions import KeptPredictions
from tune_robust.spaces.objective import Objective
from tune_robust.training import Checkpoint, EpochResult, train


class TrialRunner(tune.Trainable):
    """Trains one configuration, one epoch per step, with checkpoints in the run's folder.

    Ray's config is ``{"run", "trial", "label", "config", "checkpoints", "predictions", "cache",
    "objective", "cpus", "gpus", "process"}``. A trial that has checkpoints continues from the
    newest valid one and first reports its epoch again, so that no epoch is missing in the store.

    An error in training is reported as a result with ``error``, and with ``out_of_memory`` if the
    GPU was too small. A checkpoint that could not be written is reported as ``unsaved``: (errno,
    message, file).
    """

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """Return the resources that Ray reserves for the trial on one node.

        A process is reused only for trials with identical requests. Trials that need their own
        process therefore request a few more bytes of memory.
        """
        bundle = {"CPU": config["cpus"], "GPU": config["gpus"], "memory": config["process"]}
        return tune.PlacementGroupFactory([{what: n for what, n in bundle.items() if n}])

    def setup(self, config: dict[str, Any], environment: Mapping[str, str] | None = None) -> None:
        """Prepare the trial; called by Ray in a new actor.

        ``environment``: environment variables for this process, such as a storage's credentials.
        """
        os.environ.update(environment or {})
        # Without the imported modules, garbage collection between trials takes much less time.
        gc.freeze()
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Prepare the next trial in the same actor, without any state of the previous one."""
        self.cleanup()
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train one epoch."""
        # Ray labels an actor by its first trial, so the process is named after the current one.
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
        """Release the network and the data that only this trial used."""
        self._epochs: Iterator[dict[str, Any]] = iter(())
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def __repr__(self) -> str:
        """Return the actor's label in Ray's dashboard, which Ray reads once."""
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
            config["timed"],
        )


class _Unsaved(Exception):
    """A checkpoint could not be written: an error of the storage, not of the trial."""


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


_OUT_OF_MEMORY = (
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    # The message of cuDNN if no algorithm's workspace fits into the remaining memory.
    "unable to find an engine",
    "Unable to find a valid cuDNN algorithm",
)
"""Messages of the CUDA libraries without memory; PyTorch's allocator has an error type."""

_CUDA_ERRORS = ("CUDA error", "CUBLAS_STATUS_", "CUDNN_STATUS_", "cuDNN error", "CUSOLVER_STATUS_")


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or _says(error, _OUT_OF_MEMORY)


def _has_broken_cuda(error: Exception) -> bool:
    """Return whether CUDA may be unusable in this process, as after a failed kernel."""
    return isinstance(error, torch.AcceleratorError) or _says(error, _CUDA_ERRORS)


def _says(error: Exception, texts: Sequence[str]) -> bool:
    return any(text in str(error) for text in texts)


def _epochs(
    config: TrainConfig,
    checkpoints: Checkpoints,
    predictions: KeptPredictions,
    cache: Path,
    known: int,
    timed: bool,
) -> Iterator[dict[str, Any]]:
    """Yield reports of the epochs.

    The first are those in the checkpoint that the search lost with its machine, all above
    ``known``, and in any case the checkpoint's own epoch.

    An epoch is reported while its checkpoint is written, which is complete before the next report:
    a killed trial repeats one finished epoch at most. The checkpoint of the last epoch is complete
    before its report, as are all of them if the budget is ``timed``, since any may be the last.
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
    try:
        for result in train(config, resume=resume, splits=splits):
            with _storage():
                # Predictions are saved before the checkpoint of their epoch, and after that of the
                # epoch before: an epoch without them is trained again.
                checkpoints.wait()
                predictions.save(result, splits.validation)
                checkpoints.save(result, wait=timed or result.epoch == config.total_epochs)
            yield _report(result, config)
    finally:
        with suppress(OSError):  # whatever cannot be written is trained again
            checkpoints.wait()


@contextmanager
def _storage() -> Iterator[None]:
    """Inside, errors are those of the storage."""
    try:
        yield
    except OSError as error:
        raise _Unsaved(error.errno, error.strerror, str(error.filename)) from error


def _report(result: EpochResult | Checkpoint, config: TrainConfig) -> dict[str, Any]:
    """Return what the search records of an epoch; only the last one has its calibration."""
    report: dict[str, Any] = {"epoch": result.epoch, **result.metrics}
    if result.epoch == config.total_epochs and result.reliability:
        report["reliability"] = result.reliability
    return report


@lru_cache(maxsize=1)
def _splits(data: DataConfig, cache: Path) -> Splits:
    """Return the split, which an actor loads once for all trials of a search."""
    return make_splits(data, load_dataset(data, cache))


def _explain(error: Exception) -> str:
    if isinstance(error, UserError):
        return str(error)
    return "".join(traceback.format_exception(error))
