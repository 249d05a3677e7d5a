"""One training step: the loss of a batch, its gradients and the update of the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
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
        micro_batch: the samples that move the weights together in the second pass of SAM; None for
            the whole batch.
    """

    def __init__(
        self,
        forward: Forward,
        batch_loss: BatchLoss,
        optimizer: SharpnessAware,
        parameters: Sequence[Tensor],
        micro_batch: int | None = None,
    ) -> None:
        self.forward, self.batch_loss = forward, batch_loss
        self.optimizer, self.parameters = optimizer, parameters
        self.micro_batch = micro_batch

    def __call__(self, inputs: Tensor, labels: Tensor) -> Taken:
        """Take a step on a batch: inputs (B, C, H, W), labels (B,) or, mixed, (B, K)."""
        taken = self.compute(inputs, labels, self.optimizer.kind)
        self.optimizer.note(taken.seen)
        return taken

    def compute(self, inputs: Tensor, labels: Tensor, kind: StepKind) -> Taken:
        """Run the operations of a step of this ``kind``, not yet noted by the optimizer."""
        if kind.two_passes and self.micro_batch is not None:
            return self._compute_in_parts(inputs, labels, kind, self.micro_batch)
        whole = _Passes(self, inputs, labels)
        seen = self.optimizer.compute(whole, kind)
        self.batch_loss.gradient_norm = seen.norm
        return Taken(seen, *whole.first, self.batch_loss.sharpness)

    def _compute_in_parts(self, inputs: Tensor, labels: Tensor, kind: StepKind, size: int) -> Taken:
        pairs = zip(inputs.split(size), labels.split(size), strict=True)
        parts = [_Passes(self, *pair) for pair in pairs]
        fractions = [len(part.labels) / len(labels) for part in parts]
        seen = self.optimizer.compute_in_parts([*zip(parts, fractions, strict=True)], kind)
        self.batch_loss.gradient_norm = seen.norm
        logits, plans = zip(*(part.first for part in parts), strict=True)
        joined = (None if v[0] is None else torch.cat(v) for v in zip(*plans, strict=True))
        return Taken(seen, torch.cat(logits), Plan(*joined), self.batch_loss.sharpness)


class _Passes:
    """The closure of a step on a batch, or a part of one: forward, loss and backward."""

    def __init__(self, step: Step, inputs: Tensor, labels: Tensor) -> None:
        self._step, self._inputs, self.labels = step, inputs, labels
        self._first: tuple[Tensor, Plan] | None = None

    @property
    def first(self) -> tuple[Tensor, Plan]:
        """Return the logits, detached, and the plan of the first pass, which has been taken."""
        if self._first is None:
            raise RuntimeError("the first pass has not been taken yet")
        return self._first

    def __call__(self) -> Tensor:
        step = self._step
        for parameter in step.parameters:  # zero_grad() takes 40 us for the same
            parameter.grad = None
        logits, features = step.forward(self._inputs)
        plan = None if self._first is None else self._first[1]
        loss, plan = step.batch_loss(logits, features, self.labels, plan)
        if self._first is None:
            self._first = logits.detach(), plan
        loss.backward()
        return loss
