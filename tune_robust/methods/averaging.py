"""Averages of the weights during training: SWA and EMA."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from tune_robust import config

_ROUNDING = 1e-9
"""Tolerance for the end of a cycle, whose number of steps may fall just short by rounding."""

_PREFIX = "module."


class WeightAverage:
    """The running average of a network's weights, as described by ``settings``.

    ``swa`` is the mean of the weights after each epoch that ends at or after ``start``, or at the
    end of each learning rate cycle from ``start`` on (Izmailov et al. 2018, arXiv 1803.05407).
    ``ema`` starts with the weights at ``start`` and moves by ``1 - decay`` of the way to the
    current weights after every step.

    Args:
        settings: which average to compute, and from when.
        model: the network that is trained; the average starts as a copy of it.

    Attributes:
        model: the network with the averaged weights; call ``complete`` before evaluating it.
    """

    def __init__(self, settings: config.Average, model: nn.Module) -> None:
        self._decay = settings.decay if isinstance(settings, config.EmaConfig) else None
        self._start, self._every_step = settings.start, self._decay is not None
        self._cycles = settings.cycles if isinstance(settings, config.SwaConfig) else 0
        self._taken = 0
        self.model = copy.deepcopy(model)
        self._weights: list[Tensor] = [*self.model.parameters()]

    @property
    def begun(self) -> bool:
        """Return whether any weights are in the average yet."""
        return self._taken > 0

    @torch.no_grad()
    def update(self, model: nn.Module, progress: float, *, epoch_over: bool) -> None:
        """Include the weights of ``model`` after a step, if they belong in the average.

        This is one operation on all weights, without a host sync. torch's ``AveragedModel`` would
        also copy every buffer after every step.

        Args:
            model: the network that is trained.
            progress: the fraction of the training that is over after this step, in [0, 1].
            epoch_over: whether the step was the last of its epoch.
        """
        if self._is_time(progress, epoch_over):
            newest: list[Tensor] = [*model.parameters()]
            torch._foreach_lerp_(self._weights, newest, self._rate())
            self._taken += 1

    def _rate(self) -> float:
        """Return the factor of the newest weights in the average, 1 for the first ones."""
        if self._decay is None or not self._taken:
            return 1 / (self._taken + 1)
        return 1 - self._decay

    def _is_time(self, progress: float, epoch_over: bool) -> bool:
        if progress < self._start:
            return False
        if self._cycles:
            over = (progress - self._start) / (1 - self._start) * self._cycles
            return over + _ROUNDING >= self._taken + 1
        return self._every_step or epoch_over

    @torch.no_grad()
    def complete(self, model: nn.Module, inputs: Iterable[Tensor]) -> None:
        """Set the buffers of the averaged network, for its evaluation.

        They are copied from ``model``, except for BatchNorm's statistics, which differ for the
        averaged weights and are measured in one forward pass over ``inputs``, batches (B, C, H, W)
        as used in training. A network without BatchNorm needs no pass.
        """
        for own, trained in zip(self.model.buffers(), model.buffers(), strict=True):
            own.copy_(trained)
        update_bn(inputs, self.model)

    def state_dict(self) -> dict[str, Any]:
        """Return the averaged weights and their number, in the format of ``AveragedModel``."""
        return {
            "n_averaged": torch.tensor(self._taken),
            **self.model.state_dict(prefix=_PREFIX),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a ``state_dict``."""
        state = dict(state_dict)
        self._taken = int(state.pop("n_averaged"))
        self.model.load_state_dict({k.removeprefix(_PREFIX): v for k, v in state.items()})
