"""BatchNorm's running statistics, which only the first pass of a step must update."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def tracking_modules(model: nn.Module) -> list[_BatchNorm]:
    """Return the BatchNorm layers of ``model`` that track running statistics."""
    return [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]


@contextmanager
def statistics_paused(modules: Iterable[_BatchNorm]) -> Iterator[None]:
    """Pause the update of running statistics in training mode while inside.

    Layers in evaluation mode (frozen ones) still use their running statistics.
    """
    try:
        _set_tracking(modules, False)
        yield
    finally:
        _set_tracking(modules, True)


def _set_tracking(modules: Iterable[_BatchNorm], tracking: bool) -> None:
    for module in modules:
        # Avoids nn.Module.__setattr__, which takes 3 us per layer, twice per step.
        module.__dict__["track_running_stats"] = tracking
