"""What a training epoch saw of each sample, kept on the device and summed up once at its end."""

from __future__ import annotations

import torch
from torch import Tensor

from tune_robust.data import LabelledImages
from tune_robust.methods import Plan
from tune_robust.methods.numbers import Number
from tune_robust.training.step import Taken

_FOLD_EVERY = 16
"""Steps whose logits are kept by reference before they are taken in; bounds the memory they hold.
"""


class Observation:
    """Losses, predictions and weights of the first passes of one epoch, these two by sample.

    ``clean_fit`` is the accuracy on the correctly labelled samples, ``noisy_fit`` that on the
    wrongly labelled ones against their WRONG label, which is memorisation; both refer to the labels
    given, whatever a later bootstrap round trains on. Samples whose true label is unknown count in
    neither.

    Fits are measured on the fly, in training mode and on augmented inputs, which costs no extra
    pass. Where that would not tell (the inputs are blends, or the weights that count are averages)
    ``predicted`` replaces them by those of one forward pass over the training set.
    """

    def __init__(self, part: LabelledImages):
        self._part = part
        self._predicted = torch.full_like(part.labels, -1)
        self._weights = torch.full_like(part.labels, torch.nan, dtype=torch.float32)
        self._epsilon = torch.full_like(part.labels, torch.nan, dtype=torch.float32)
        self._pending: list[tuple[Tensor, Tensor, Plan]] = []
        self._losses: list[Tensor] = []
        self._sharpness: list[Number] = []

    def add(self, indices: Tensor, taken: Taken) -> None:
        """A step on the samples ``indices`` (B,)."""
        self._losses.append(taken.seen.loss)
        if taken.sharpness is not None:
            self._sharpness.append(taken.sharpness)
        self._pending.append((indices, taken.logits, taken.plan))
        if len(self._pending) == _FOLD_EVERY:
            self._fold()

    def _fold(self) -> None:
        """Take in what is pending: a few operations on many steps' samples."""
        if not self._pending:
            return
        indices, logits, plans = zip(*self._pending, strict=True)
        at = torch.cat(indices)
        self._predicted[at] = torch.cat(logits).argmax(1)
        if plans[0].weights is not None:
            self._weights[at] = torch.cat([plan.weights for plan in plans]).float()
        if plans[0].epsilon is not None:
            self._epsilon[at] = torch.cat([plan.epsilon for plan in plans]).float()
        self._pending.clear()

    def predicted(self, classes: Tensor) -> None:
        """Measure the fits by ``classes`` (N,), predicted for the whole part after the epoch."""
        self._fold()
        self._predicted = classes

    def metrics(self) -> dict[str, float]:
        """The epoch's means; NaN where there is nothing to average."""
        self._fold()
        part, seen = self._part, self._predicted >= 0
        hit = (self._predicted == part.labels).float()
        clean, noisy = part.clean, part.noisy
        figures = {
            "train_loss": torch.stack(self._losses).mean(),
            "train_accuracy": hit[seen].mean(),
            "clean_fit": hit[seen & clean].mean(),
            "noisy_fit": hit[seen & noisy].mean(),
            "law_weight_clean": self._weights[seen & clean].mean(),
            "law_weight_noisy": self._weights[seen & noisy].mean(),
            "sals_epsilon": self._epsilon[seen].mean(),
            "sals_sharpness": self._mean_sharpness(),
        }
        means = dict(zip(figures, torch.stack([*figures.values()]).tolist(), strict=True))
        return means | {"fit_gap": means["clean_fit"] - means["noisy_fit"]}

    def _mean_sharpness(self) -> Tensor:
        """Over the steps in which it was finite; NaN without SALS."""
        if not self._sharpness:
            return self._epsilon.new_tensor(torch.nan)
        each = [torch.as_tensor(s, device=self._epsilon.device) for s in self._sharpness]
        values = torch.stack(each).float()
        return values[values.isfinite()].mean()
