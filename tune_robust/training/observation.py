"""Per-sample observations of a training epoch, kept on the device and summed once at its end."""

from __future__ import annotations

import torch
from torch import Tensor

from tune_robust.data import LabelledImages
from tune_robust.methods import Plan
from tune_robust.methods.numbers import Number
from tune_robust.training.processes import ALONE, Processes
from tune_robust.training.step import Taken

_FOLD_EVERY = 16
"""Steps whose logits are kept before they are reduced, which bounds the memory they take.
"""


class Observation:
    """The losses of one epoch's first passes, and the predictions and weights of all samples.

    ``clean_fit`` is the accuracy on correctly labelled samples. ``noisy_fit`` is the accuracy on
    wrongly labelled samples with respect to their WRONG labels: memorisation. Both refer to the
    given labels, whatever a later bootstrap round trains on. Samples with unknown true labels count
    in neither.

    Fits are measured during training, in training mode and on augmented inputs, which needs no
    extra pass. Where this would be misleading (the inputs are mixed, or the evaluated weights are
    averages), ``predicted`` replaces them by those of one forward pass over the training set.

    Of ``processes`` that train together, each records its own samples, and ``metrics`` are those of
    all samples.
    """

    def __init__(self, part: LabelledImages, processes: Processes = ALONE):
        self._part, self._processes = part, processes
        self._predicted = torch.full_like(part.labels, -1)
        self._weights = torch.full_like(part.labels, torch.nan, dtype=torch.float32)
        self._epsilon = torch.full_like(part.labels, torch.nan, dtype=torch.float32)
        self._pending: list[tuple[Tensor, Tensor, Plan]] = []
        self._losses: list[Tensor] = []
        self._sharpness: list[Number] = []

    def add(self, indices: Tensor, taken: Taken) -> None:
        """Record a step on the samples ``indices`` (B,)."""
        self._losses.append(taken.seen.loss)
        if taken.sharpness is not None:
            self._sharpness.append(taken.sharpness)
        self._pending.append((indices, taken.logits, taken.plan))
        if len(self._pending) == _FOLD_EVERY:
            self._fold()

    def _fold(self) -> None:
        """Reduce pending observations: a few operations on the samples of many steps."""
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
        """Measure the fits by ``classes`` (N,), predicted for the complete part after the epoch."""
        self._fold()
        self._predicted = classes

    def metrics(self) -> dict[str, float]:
        """Return the means of the epoch; NaN where there is nothing to average."""
        self._fold()
        self._gather()
        part, seen = self._part, self._predicted >= 0
        hit = (self._predicted == part.labels).float()
        clean, noisy = part.clean, part.noisy
        figures = {
            "train_loss": self._mean(torch.stack(self._losses)),
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

    def _gather(self) -> None:
        """Take in what the other processes have recorded; each sample is of one of them."""
        if self._processes.several:
            self._processes.largest(self._predicted)
            self._weights = self._gathered(self._weights)
            self._epsilon = self._gathered(self._epsilon)

    def _gathered(self, values: Tensor) -> Tensor:
        """Return the values of all processes, NaN where none of them has one."""
        found = self._processes.largest(values.nan_to_num(nan=-torch.inf))
        return found.where(found.isfinite(), torch.nan)

    def _mean(self, values: Tensor) -> Tensor:
        """Return the mean over the processes of the means of ``values`` (n,)."""
        mean = values.mean()
        self._processes.average([mean])
        return mean

    def _mean_sharpness(self) -> Tensor:
        """Return the mean over the steps with a finite sharpness; NaN without SALS."""
        if not self._sharpness:
            return self._epsilon.new_tensor(torch.nan)
        each = [torch.as_tensor(s, device=self._epsilon.device) for s in self._sharpness]
        values = torch.stack(each).float()
        return self._mean(values[values.isfinite()])
