"""Averages of the weights that training passes through: SWA and EMA."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from tune_robust import config

_ROUNDING = 1e-9
"""A cycle is over although its count of steps, added up in floating point, falls just short."""

_PREFIX = "module."


class WeightAverage:
    """The running average of a network's weights, as described by ``settings``.

    ``swa`` is the mean of the weights after each epoch that ends at or after ``start``, or at the
    end of each learning rate cycle from ``start`` on (Izmailov et al. 2018, arXiv 1803.05407).
    ``ema`` moves by ``1 - decay`` of the way after every step from ``start`` on, and begins at the
    weights that it finds there.

    Args:
        settings: which average, and from when.
        model: the network that trains; the average starts as a copy of it.

    Attributes:
        model: the network with the averaged weights; ``complete`` it before it is evaluated.
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
        """Whether any weights went into the average yet."""
        return self._taken > 0

    @torch.no_grad()
    def update(self, model: nn.Module, progress: float, *, epoch_over: bool) -> None:
        """Take in the weights of ``model`` after a step, if it is time.

        One operation on all weights, and nothing waits for the device, which is why it is not left
        to torch's ``AveragedModel``: that one also copies each buffer, after every step.

        Args:
            model: the network that trains.
            progress: the fraction of training that is over with this step, in [0, 1].
            epoch_over: whether the step was the last of its epoch.
        """
        if self._is_time(progress, epoch_over):
            newest: list[Tensor] = [*model.parameters()]
            torch._foreach_lerp_(self._weights, newest, self._rate())
            self._taken += 1

    def _rate(self) -> float:
        """The weight of the newest weights in the average; the first ones are all of it."""
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
        """Give the averaged network the buffers that it is evaluated with.

        Those of ``model``, except for BatchNorm's statistics, which are not the average's and are
        measured anew: one forward pass over ``inputs``, batches (B, C, H, W) as training sees them.
        A network without BatchNorm needs no pass.
        """
        for own, trained in zip(self.model.buffers(), model.buffers(), strict=True):
            own.copy_(trained)
        update_bn(inputs, self.model)

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights and how many went into them, as torch's ``AveragedModel`` has it."""
        return {
            "n_averaged": torch.tensor(self._taken),
            **self.model.state_dict(prefix=_PREFIX),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a ``state_dict``."""
        state = dict(state_dict)
        self._taken = int(state.pop("n_averaged"))
        self.model.load_state_dict({k.removeprefix(_PREFIX): v for k, v in state.items()})
