"""Averages of the weights that training passes through: SWA and EMA, by torch.optim.swa_utils."""

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
"""A cycle is over although its count of steps, added up in floating point, falls just short."""


class WeightAverage:
    """The running average of a network's weights, as described by ``settings``.

    ``swa`` is the mean of the weights after each epoch that ends at or after ``start``, or at the
    end of each learning rate cycle from ``start`` on (Izmailov et al. 2018, arXiv 1803.05407).
    ``ema`` moves by ``1 - decay`` of the way after every step from ``start`` on, and begins at the
    weights that it finds there.

    Args:
        settings: which average, and from when.
        model: the network that trains; the average starts as a copy of it.
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
        """Whether any weights went into the average yet."""
        return self._averaged.n_averaged.item() > 0

    def update(self, model: nn.Module, progress: float, *, epoch_over: bool) -> None:
        """Take in the weights of ``model`` after a step, if it is time.

        Args:
            model: the network that trains.
            progress: the fraction of training that is over with this step, in [0, 1].
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
        """Measure BatchNorm's statistics anew: those of the training weights are not the average's.

        One forward pass over ``inputs``, batches (B, C, H, W) as training sees them; none at all
        for a network without BatchNorm.
        """
        update_bn(inputs, self._averaged)

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights and how many went into them."""
        return self._averaged.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a ``state_dict``."""
        self._averaged.load_state_dict(state_dict)
        self._taken = int(self._averaged.n_averaged)
