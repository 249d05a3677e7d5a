"""Per-sample losses (B,) of log-probabilities (B, K) and targets (B, K).

Targets are probabilities of the classes: one-hot, smoothed, or mixed. Every loss is linear in them,
so that the loss of a smoothed or mixed target is the mean of the losses of its labels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from tune_robust import config
from tune_robust.errors import UserError
from tune_robust.own import bound

SampleLoss = Callable[[Tensor, Tensor], Tensor]
"""Maps (log_p (B, K), targets (B, K)) to losses (B,)."""

_LOG_ZERO = -4.0
"""The value used for log 0 in the reverse cross-entropy, as in Wang et al. 2019."""


def cross_entropy(log_p: Tensor, targets: Tensor) -> Tensor:
    """Return ``-sum_k t_k log p_k``."""
    return -(targets * log_p).sum(1)


def generalized_cross_entropy(log_p: Tensor, targets: Tensor, *, q: float = 0.7) -> Tensor:
    """Return ``sum_k t_k (1 - p_k^q) / q`` (Zhang & Sabuncu 2018, arXiv 1805.07836).

    Args:
        log_p: (B, K).
        targets: (B, K).
        q: in (0, 1]; cross-entropy in the limit 0, half the mean absolute error at 1.
    """
    # expm1 keeps the digits that 1 - p^q would lose for p near 1.
    return -(targets * (q * log_p).expm1()).sum(1) / q


def symmetric_cross_entropy(
    log_p: Tensor, targets: Tensor, *, alpha: float = 0.1, beta: float = 1.0
) -> Tensor:
    """Return ``alpha * CE + beta * RCE`` (Wang et al. 2019, arXiv 1908.06112).

    The reverse cross-entropy ``-sum_j p_j log t_j`` of a label ``y`` with ``log 0 = -4`` is
    ``4 (1 - p_y)``.

    Args:
        log_p: (B, K).
        targets: (B, K).
        alpha: the weight of the cross-entropy, at least 0.
        beta: the weight of the reverse cross-entropy, at least 0.
    """
    reverse = _LOG_ZERO * (targets * log_p.expm1()).sum(1)
    return alpha * cross_entropy(log_p, targets) + beta * reverse


def bootstrap_hard(log_p: Tensor, targets: Tensor, *, beta: float = 0.8) -> Tensor:
    """Return ``beta * CE - (1 - beta) * max_k log p_k`` (Reed et al. 2014, arXiv 1412.6596, eq. 7).

    Args:
        log_p: (B, K).
        targets: (B, K).
        beta: the weight of the targets, in [0, 1]; the rest is that of the most probable class.
    """
    return beta * cross_entropy(log_p, targets) - (1 - beta) * log_p.amax(1)


def bootstrap_soft(log_p: Tensor, targets: Tensor, *, beta: float = 0.95) -> Tensor:
    """Return ``beta * CE - (1 - beta) * sum_k p_k log p_k`` (Reed et al. 2014, 1412.6596, eq. 6).

    The second term is the entropy, with the gradient of both factors: as the paper says, the loss
    is softmax regression with minimum entropy regularisation.

    Args:
        log_p: (B, K).
        targets: (B, K).
        beta: the weight of the targets, in [0, 1]; the rest is that of the network's softmax.
    """
    entropy = -(log_p.exp() * log_p).sum(1)
    return beta * cross_entropy(log_p, targets) + (1 - beta) * entropy


LOSSES: dict[str, SampleLoss] = {
    "ce": cross_entropy,
    "gce": generalized_cross_entropy,
    "sce": symmetric_cross_entropy,
    "bootstrap_hard": bootstrap_hard,
    "bootstrap_soft": bootstrap_soft,
}
"""By ``loss.name``."""


_SETTING = "loss.name"


class LossOfLogits:
    """A loss from elsewhere, (logits (B, K), targets (B, K)) -> losses (B,).

    Raises:
        UserError: there is no such loss, or its arguments do not fit; when it is called, that it
            returns something else than a number for each sample.
    """

    def __init__(self, settings: config.OwnLoss) -> None:
        self.name = settings.name
        self._loss = bound(settings.name, _SETTING, 2, settings.arguments)

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return what each sample costs, (B,)."""
        losses = self._loss(logits, targets)
        if not isinstance(losses, Tensor) or losses.shape != logits.shape[:1]:
            shape = tuple(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
            raise UserError(
                f"{_SETTING}: {self.name} returned {shape} for logits {tuple(logits.shape)}; "
                f"expected the loss of each sample, ({len(logits)},), not yet averaged "
                '(reduction="none").'
            )
        return losses


def sample_loss(settings: config.Loss) -> SampleLoss | LossOfLogits:
    """Return the loss that ``settings`` describes, with its parameters filled in."""
    if isinstance(settings, config.OwnLoss):
        return LossOfLogits(settings)
    parameters = settings.model_dump(exclude={"name"})
    return partial(LOSSES[settings.name], **parameters) if parameters else LOSSES[settings.name]
