"""Estimate the time of an epoch from a few timed steps and evaluation passes of the real loop."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from tune_robust.config import TrainConfig
from tune_robust.data import LabelledImages, Splits
from tune_robust.training.loop import train

_WARM_UP = 2
"""Steps before the timing begins."""


@dataclass(frozen=True)
class EpochTime:
    """Seconds per epoch, including evaluation and checkpoint, and the checkpoint's size."""

    seconds: float
    checkpoint_bytes: int


def time_epoch(config: TrainConfig, splits: Splits, *, seconds: float = 4.0) -> EpochTime:
    """Train for about ``seconds``, on as much of the data as possible, and extrapolate to an epoch.

    If complete epochs fit into this time, they are timed. Weight averaging, which begins late in a
    run, is not included.
    """
    batch, images = config.batch_size, len(splits.train)
    step = _run(config, _first(splits, _WARM_UP * batch), seconds=0).seconds / _WARM_UP
    steps = max(_WARM_UP, int(seconds / 4 / step))
    fraction = min(1.0, steps * batch / images)
    timed = _run(config, _first(splits, steps * batch), seconds)
    return replace(timed, seconds=timed.seconds / fraction)


def _run(config: TrainConfig, splits: Splits, seconds: float) -> EpochTime:
    """Return the mean over the epochs that end within ``seconds``, at least one."""
    # Long enough for any machine; a round of self-training takes as long as any other.
    config = config.model_copy(update={"epochs": 10_000, "bootstrap_rounds": 1})
    with TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pt"
        began = time.perf_counter()
        for result in train(config, splits=splits):
            result.save(path)
            now = time.perf_counter()
            if result.epoch == 1:
                began = now
            elif now - began >= seconds:
                break
        return EpochTime((now - began) / (result.epoch - 1), path.stat().st_size)


def _first(splits: Splits, images: int) -> Splits:
    """Return at most this many training images, and the same fraction of the other parts."""
    fraction = min(1.0, images / len(splits.train))
    return replace(
        splits,
        train=_part(splits.train, fraction),
        validation=_part(splits.validation, fraction),
        test=_part(splits.test, fraction),
    )


def _part(part: LabelledImages, fraction: float) -> LabelledImages:
    count = max(1, round(fraction * len(part)))
    return part.take(torch.arange(count))
