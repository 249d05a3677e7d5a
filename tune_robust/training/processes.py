"""What the processes that train one network together exchange.

Each of them trains on its equal part of every batch. PyTorch's ``DistributedDataParallel`` averages
the gradients, and everything else here happens once per epoch or per batch of an evaluation.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from tune_robust.methods.numbers import Number

Forward = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Maps inputs (B, ...) to logits (B, K) and the features (B, D) that the last layer saw."""

NETWORK = "module.network."
"""What the names of a network's layers begin with in what ``Processes.together`` returns."""


class Processes(NamedTuple):
    """This process, the ``rank``-th of ``size`` that train together; by default there is one.

    With several, PyTorch's default process group has been initialised in each of them. All of them
    call the methods in the same order.
    """

    rank: int = 0
    size: int = 1

    @property
    def several(self) -> bool:
        """Return whether there is more than this process."""
        return self.size > 1

    def together(
        self, network: nn.Module, forward: Forward, *, unused: bool
    ) -> DistributedDataParallel:
        """Return ``forward`` of ``network`` as a module that averages the gradients.

        The networks of all processes become equal to that of the first. Layers such as BatchNorm
        see the part of the batch of their own process.

        Args:
            network: the network, on its device.
            forward: runs it on inputs, and returns logits and features.
            unused: whether some of its parameters may get no gradient.
        """
        module = _Forward(network, forward)
        with warnings.catch_warnings():
            # Newer versions of PyTorch have a new name for it, which older ones do not know.
            warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
            return DistributedDataParallel(
                module, find_unused_parameters=unused, broadcast_buffers=False
            )

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace floating-point tensors by their means over the processes."""
        if self.several:
            for tensor in tensors:
                if tensor.is_floating_point():
                    distributed.all_reduce(tensor)
                    tensor /= self.size

    def means(self, values: Mapping[str, float], device: torch.device) -> dict[str, float]:
        """Return the means over the processes; NaN where one of them has NaN."""
        if not self.several:
            return {**values}
        tensor = torch.tensor([*values.values()], dtype=torch.float64, device=device)
        self.average([tensor])
        return dict(zip(values, tensor.tolist(), strict=True))

    def mean(self, value: Number, device: torch.device) -> Number:
        """Return the mean of a number over the processes, which compute on ``device``."""
        if isinstance(value, Tensor):
            mean = value.clone()
            self.average([mean])
            return mean
        return self.means({"": value}, device)[""]

    def largest(self, tensor: Tensor) -> Tensor:
        """Return the largest of each component over the processes, in the same tensor."""
        if self.several:
            distributed.all_reduce(tensor, op=distributed.ReduceOp.MAX)
        return tensor

    def part_of(self, inputs: int) -> int:
        """Return how many of so many inputs each process computes, at most."""
        return -(-inputs // self.size)

    def logits(self, forward: Callable[[Tensor], Tensor], inputs: Tensor, classes: int) -> Tensor:
        """Return ``forward(inputs)``, (B, ``classes``), of which each process computes a part."""
        if not self.several:
            return forward(inputs)
        at_most = self.part_of(len(inputs))
        own = inputs[self.rank * at_most : (self.rank + 1) * at_most]
        found = torch.zeros(at_most, classes, device=inputs.device)
        if len(own):
            found[: len(own)] = forward(own)
        parts = [torch.empty_like(found) for _ in range(self.size)]
        distributed.all_gather(parts, found)
        return torch.cat(parts)[: len(inputs)]


ALONE = Processes()


class _Forward(nn.Module):
    """A function of a network's inputs as a module that has the network's parameters."""

    def __init__(self, network: nn.Module, forward: Forward):
        super().__init__()
        self.network, self._function = network, forward

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        return self._function(inputs)
