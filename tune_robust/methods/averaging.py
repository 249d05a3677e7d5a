"""Averages of the weights during training: SWA and EMA, with torch.optim.swa_utils."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.optim.swa_utils import (
    AveragedModel,
    get_ema_multi_avg_fn,
    get_swa_multi_avg_fn,
    update_bn,
)

from tune_robust import config

_ROUNDING = 1e-9
"""Tolerance for the end of a cycle, whose number of steps may fall just short by rounding."""


class WeightAverage:
    """The running average of a network's weights, as described by ``settings``.

    ``swa`` is the mean of the weights after each epoch that ends at or after ``start``, or at the
    end of each learning rate cycle from ``start`` on (Izmailov et al. 2018, arXiv 1803.05407).
    ``ema`` starts with the weights at ``start`` and moves by ``1 - decay`` of the way to the
    current weights after every step.

    Args:
        settings: which average to compute, and from when.
        model: the network that is trained; the average starts as a copy of it.
    """

    def __init__(self, settings: config.Average, model: nn.Module) -> None:
        if isinstance(settings, config.EmaConfig):
            average = get_ema_multi_avg_fn(settings.decay)
        else:
            average = get_swa_multi_avg_fn()
        self._start, self._every_step = settings.start, isinstance(settings, config.EmaConfig)
        self._cycles = settings.cycles if isinstance(settings, config.SwaConfig) else 0
        self._taken = 0
        self._averaged = AveragedModel(model, multi_avg_fn=average)

    @property
    def model(self) -> nn.Module:
        """The network with the averaged weights."""
        return self._averaged.module

    @property
    def begun(self) -> bool:
        """Return whether any weights are in the average yet."""
        return self._averaged.n_averaged.item() > 0

    def update(self, model: nn.Module, progress: float, *, epoch_over: bool) -> None:
        """Include the weights of ``model`` after a step, if they belong in the average.

        Args:
            model: the network that is trained.
            progress: the fraction of the training that is over after this step, in [0, 1].
            epoch_over: whether the step was the last of its epoch.
        """
        if self._is_time(progress, epoch_over):
            self._averaged.update_parameters(model)
            self._taken += 1

    def _is_time(self, progress: float, epoch_over: bool) -> bool:
        if progress < self._start:
            return False
        if self._cycles:
            over = (progress - self._start) / (1 - self._start) * self._cycles
            return over + _ROUNDING >= self._taken + 1
        return self._every_step or epoch_over

    def estimate_batch_norm(self, inputs: Iterable[Tensor]) -> None:
        """Measure BatchNorm's statistics, which for the average differ from the network's own.

        This takes one forward pass over ``inputs``, batches (B, C, H, W) as used in training. A
        network without BatchNorm needs none.
        """
        update_bn(inputs, self._averaged)

    def state_dict(self) -> dict[str, Any]:
        """Return the averaged weights and how many are in the average."""
        return self._averaged.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a ``state_dict``."""
        self._averaged.load_state_dict(state_dict)
        self._taken = int(self._averaged.n_averaged)
