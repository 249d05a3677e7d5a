"""Trials that replay recorded curves instead of training, in the search's process or in Ray's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tune_robust.metrics import METRICS
from tune_robust.runs.folder import RunFolder
from tune_robust.tuning.simulation.recording import read_recorded

EPOCHS = 40
_RECORDED = Path(__file__).parent / "recorded" / "methods_grid_digits"


def epochs(number: int, rho: float, alpha: float) -> Iterator[dict[str, float]]:
    """Yield the epochs of trial ``number``: as many metrics as a real trial has, and ``epoch``.

    The number determines which recorded curve is used. It is lowered with the distance of the
    settings from rho 0.3 and alpha 0.5, so that a sampler has something to find.
    """
    curves = _curves()
    factor = 1 - 0.4 * abs(rho - 0.3) - 0.2 * abs(alpha - 0.5)
    for epoch, recorded in enumerate(curves[number % len(curves)], 1):
        metrics = {**dict.fromkeys(METRICS, 0.123456789), **recorded}
        metrics["val_accuracy"] *= factor
        yield {**metrics, "gradient_evaluations": 2.0 * epoch, "epoch": epoch}


def trainable() -> type:
    """Return a replacement of ``TrialRunner`` without PyTorch.

    It has no checkpoints, and requests one CPU and one GPU. 64 processes with PyTorch would need
    too much memory.
    """
    from ray import tune

    class Replayed(tune.Trainable):
        @classmethod
        def default_resource_request(cls, config: Mapping[str, Any]) -> tune.PlacementGroupFactory:
            return tune.PlacementGroupFactory([{"CPU": 1, "GPU": 1}])

        def setup(self, config: Mapping[str, Any]) -> None:
            self._name, trained = config["trial"], config["config"]
            rho, alpha = trained["sam"]["rho"], trained["saner"]["alpha"]
            self._epochs = epochs(int(self._name[1:]) - 1, rho, alpha)

        def reset_config(self, new_config: Mapping[str, Any]) -> bool:
            self.setup(new_config)
            return True

        def step(self) -> dict[str, Any]:
            return {"trial": self._name, **next(self._epochs)}

    return Replayed


@lru_cache
def _curves() -> list[list[dict[str, float]]]:
    """Return the recorded trials' metrics, by epoch."""
    trials = read_recorded(RunFolder(_RECORDED)).values()
    return [[trial.epochs[epoch] for epoch in range(1, EPOCHS + 1)] for trial in trials]
