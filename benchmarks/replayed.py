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
    """The epochs of trial ``number``: as many metrics as a real one has, and ``epoch``.

    Which recorded curve it is goes by the number; it lies the lower, the further the settings are
    from rho 0.3 and alpha 0.5, so that a sampler has something to find.
    """
    curves = _curves()
    share = 1 - 0.4 * abs(rho - 0.3) - 0.2 * abs(alpha - 0.5)
    for epoch, recorded in enumerate(curves[number % len(curves)], 1):
        metrics = {**dict.fromkeys(METRICS, 0.123456789), **recorded}
        metrics["val_accuracy"] *= share
        yield {**metrics, "gradient_evaluations": 2.0 * epoch, "epoch": epoch}


def trainable() -> type:
    """A stand-in for ``TrialRunner``, without PyTorch: 64 processes with it take too much memory.

    It has no checkpoints, and asks for one CPU and one GPU.
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
    """The recorded trials' metrics, epoch by epoch."""
    trials = read_recorded(RunFolder(_RECORDED)).values()
    return [[trial.epochs[epoch] for epoch in range(1, EPOCHS + 1)] for trial in trials]
