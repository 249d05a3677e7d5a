"""Save a finished epoch to a folder: its checkpoint, its network and its metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from tune_robust.files import write_aside
from tune_robust.metrics import finite_or_none
from tune_robust.training.loop import EpochResult


def save_epoch(result: EpochResult, folder: Path) -> None:
    """Write ``last.pt``, ``model.safetensors`` and ``metrics.json``, replacing earlier ones.

    Call it before asking the generator for the next epoch.

    Args:
        result: the epoch, as ``train`` yielded it.
        folder: the folder to write to; it is created if it is missing.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    result.save(folder / "last.pt")
    write_weights(folder / "model.safetensors", result.model.state_dict())
    metrics = {"epoch": result.epoch, **finite_or_none(result.metrics)}
    write_aside(folder / "metrics.json", json.dumps(metrics, indent=2).encode())


def write_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write a network's ``state_dict`` as a safetensors file."""
    write_aside(path, save({name: tensor.contiguous() for name, tensor in weights.items()}))
