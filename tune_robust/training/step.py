"""One training step: the loss of a batch, its gradients and the update of the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from tune_robust.methods import BatchLoss, Plan, SharpnessAware
from tune_robust.methods.numbers import Number
from tune_robust.methods.sharpness_aware import StepKind
from tune_robust.methods.step_statistics import Seen

Forward = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Inputs (B, C, H, W) -> logits (B, K) and the features (B, D) that the last layer saw."""


class Taken(NamedTuple):
    """The results of a step.

    ``logits`` (B, K), detached, and ``plan`` are those of the first pass; ``sharpness`` is that of
    SALS, None without it.
    """

    seen: Seen
    logits: Tensor
    plan: Plan
    sharpness: Number | None


class Step:
    """Takes training steps; SALS and LAW use the first pass and stay fixed in the second.

    Args:
        forward: runs the network with the precision of the run.
        batch_loss: the loss of its logits and features.
        optimizer: updates ``parameters``.
        parameters: those of the network.
    """

    def __init__(
        self,
        forward: Forward,
        batch_loss: BatchLoss,
        optimizer: SharpnessAware,
        parameters: Sequence[Tensor],
    ) -> None:
        self.forward, self.batch_loss = forward, batch_loss
        self.optimizer, self.parameters = optimizer, parameters

    def __call__(self, inputs: Tensor, labels: Tensor) -> Taken:
        """Take a step on a batch: inputs (B, C, H, W), labels (B,) or, mixed, (B, K)."""
        taken = self.compute(inputs, labels, self.optimizer.kind)
        self.optimizer.note(taken.seen)
        return taken

    def compute(self, inputs: Tensor, labels: Tensor, kind: StepKind) -> Taken:
        """Run the operations of a step of this ``kind``, not yet noted by the optimizer."""
        first: list[tuple[Tensor, Plan]] = []

        def closure() -> Tensor:
            for parameter in self.parameters:  # zero_grad() takes 40 us for the same
                parameter.grad = None
            logits, features = self.forward(inputs)
            plan = first[0][1] if first else None
            loss, plan = self.batch_loss(logits, features, labels, plan)
            if not first:
                first.append((logits.detach(), plan))
            loss.backward()
            return loss

        seen = self.optimizer.compute(closure, kind)
        self.batch_loss.gradient_norm = seen.norm
        return Taken(seen, *first[0], self.batch_loss.sharpness)
