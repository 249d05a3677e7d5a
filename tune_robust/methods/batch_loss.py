"""The loss of a batch: the losses of its samples, optionally with smoothed targets and weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tune_robust.config import LawConfig, SalsConfig
from tune_robust.errors import UserError
from tune_robust.methods.losses import LossOfLogits, SampleLoss, cross_entropy
from tune_robust.methods.numbers import Number
from tune_robust.methods.smoothing import (
    KnownGradient,
    last_layer_gradient_norm,
    moved_mean,
    residuals,
    smoothed_cross_entropy,
    smoothed_targets,
    smoothing,
)
from tune_robust.methods.weighting import sample_weights


class Plan(NamedTuple):
    """Values that the first pass of a step fixes, so that both passes use the same loss.

    Attributes:
        epsilon: (B,), SALS's smoothing of each sample's target, detached; None without SALS.
        weights: (B,), LAW's weight of each sample's loss, detached; None without LAW.
    """

    epsilon: Tensor | None = None
    weights: Tensor | None = None


class BatchLoss:
    """The mean loss with SALS's targets, LAW's weights, both (SLAW) or neither.

    LAW computes its weights from the smoothed losses; SALS smooths the labels of cross-entropy.
    Weights and targets are constants with respect to the gradient. The running mean of SALS's
    sharpness starts at 1 and is updated once per step.

    Args:
        sals: sharpness-adaptive label smoothing; None for the fixed ``label_smoothing``.
        law: loss-adaptive sample weights; None for equal weights.
        label_smoothing: in [0, 1), distributed over all classes, as in
            ``torch.nn.CrossEntropyLoss``.
        smoothing_over: ``"all"`` classes, or only the ``"others"`` than the label's, with
            eps / (K - 1) each.
        loss: the loss of each sample, from log-probabilities and targets; see ``losses``.

    Attributes:
        sharpness: SALS's sharpness of the last step, a float or 0-dim; None before the first step
            and without SALS.
        mean_sharpness: the running mean of the sharpness.
        gradient_norm: for SALS's ``scope: full``, the norm of the complete gradient of the last
            step, 0-dim (``SharpnessAware.gradient_norm``); set it after each step. The norm of the
            current step would need another backward pass. While it is None, the sharpness counts as
            average.
    """

    def __init__(
        self,
        *,
        sals: SalsConfig | None = None,
        law: LawConfig | None = None,
        label_smoothing: float = 0.0,
        smoothing_over: str = "all",
        loss: SampleLoss | LossOfLogits = cross_entropy,
    ) -> None:
        if sals is not None and loss is not cross_entropy:
            raise UserError(
                "BatchLoss: sals smooths the labels of cross-entropy; give no other loss."
            )
        self.sals, self.law, self.label_smoothing = sals, law, label_smoothing
        self.smoothing_over = smoothing_over
        self.loss = loss
        self._law = {} if law is None else law.model_dump()
        self.mean_sharpness: Number = 1.0
        self.sharpness: Number | None = None
        self.gradient_norm: Tensor | None = None

    def __call__(
        self, logits: Tensor, features: Tensor, labels: Tensor, plan: Plan | None = None
    ) -> tuple[Tensor, Plan]:
        """Return the mean loss of a batch (0-dim) and the plan that it was computed with.

        Args:
            logits: (B, K).
            features: (B, D), the inputs of the last linear layer.
            labels: (B,), class indices, or (B, K), probabilities of the classes (mixed labels).
            plan: None in the first pass of a step, which returns a plan; that plan in the second
                pass.
        """
        # At least float32: the logits of a network under autocast have less.
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        plan = plan or Plan()
        if self.sals is not None:
            loss, gradient, plan = self._smoothed(self.sals, logits, features, labels, plan)
            return KnownGradient.apply(logits, loss, gradient), plan
        if self.law is None:
            return self._losses(logits, labels, "mean"), plan
        losses = self._losses(logits, labels, "none")
        weights = self._weights(losses.detach()) if plan.weights is None else plan.weights
        return torch.dot(losses, weights / len(weights)), Plan(None, weights)

    def _losses(self, logits: Tensor, labels: Tensor, reduction: str) -> Tensor:
        """Return the loss of each sample, or their mean, without SALS."""
        if self.loss is cross_entropy and self.smoothing_over == "all":
            return F.cross_entropy(
                logits, labels, label_smoothing=self.label_smoothing, reduction=reduction
            )
        log_p = F.log_softmax(logits, 1)
        classes = log_p.shape[1]
        others = self.label_smoothing
        if self.smoothing_over == "all":  # includes the label's own class, as in torch
            others *= (classes - 1) / classes
        epsilon = log_p.new_full((len(labels),), others)
        targets = smoothed_targets(epsilon, labels, classes)
        of_logits = isinstance(self.loss, LossOfLogits)
        losses = self.loss(logits if of_logits else log_p, targets)
        return losses.mean() if reduction == "mean" else losses

    @torch.no_grad()
    def _smoothed(
        self, sals: SalsConfig, logits: Tensor, features: Tensor, labels: Tensor, plan: Plan
    ) -> tuple[Tensor, Tensor, Plan]:
        """Return the loss with SALS, its gradient with respect to ``logits``, and the plan."""
        log_p = F.log_softmax(logits, 1)
        residual = residuals(log_p.exp(), labels)
        epsilon = plan.epsilon
        if epsilon is None:
            epsilon = self._epsilon(sals, log_p, residual, features)
        losses, gradient = smoothed_cross_entropy(log_p, residual, labels, epsilon)
        if self.law is None:
            return losses.mean(), gradient.div_(len(losses)), Plan(epsilon)
        weights = self._weights(losses) if plan.weights is None else plan.weights
        scaled = weights / len(weights)
        return torch.dot(losses, scaled), gradient.mul_(scaled[:, None]), Plan(epsilon, weights)

    def _epsilon(
        self, sals: SalsConfig, log_p: Tensor, residual: Tensor, features: Tensor
    ) -> Tensor:
        if sals.scope == "last_layer":
            sharpness = last_layer_gradient_norm(residual, features)
        else:
            sharpness = self._whole_gradient_norm(residual)
        mean, current = moved_mean(self.mean_sharpness, sharpness, sals.ema_decay)
        self.mean_sharpness, self.sharpness = mean, current
        bounds = {"alpha": sals.alpha, "eps_min": sals.eps_min, "eps_max": sals.eps_max}
        return smoothing(log_p.amax(1).exp(), current, mean, **bounds)

    def _whole_gradient_norm(self, like: Tensor) -> Tensor:
        average = torch.as_tensor(self.mean_sharpness, dtype=like.dtype, device=like.device)
        if self.gradient_norm is None:
            return average
        # A step that overflowed was skipped, and must not make this one overflow as well.
        return self.gradient_norm.to(average).where(self.gradient_norm.isfinite(), average)

    def _weights(self, losses: Tensor) -> Tensor:
        return sample_weights(losses, **self._law)

    def state_dict(self) -> dict[str, Any]:
        """Return the running mean of SALS's sharpness and the gradient norm of the last step."""
        return {"mean_sharpness": self.mean_sharpness, "gradient_norm": self.gradient_norm}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a ``state_dict``."""
        self.mean_sharpness = state_dict["mean_sharpness"]
        self.gradient_norm = state_dict["gradient_norm"]
