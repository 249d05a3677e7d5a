"""Statistics of the optimizer steps, kept on the device and copied to the host only when read."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tune_robust.methods.reweighting import group_fractions
from tune_robust.methods.tensors import Tensors

_FOLD_EVERY = 64
"""Steps whose scalars are kept before they are summed, which bounds the memory they take."""

_SAMPLE_EVERY = 32
"""One two-pass step in this many measures the fractions of the groups, beginning with the first."""

_SAMPLE_SIZE = 16_384
"""Components compared in such a step, up to twice as many; smaller networks completely.

The standard error of a fraction is then at most 0.4 points per step; means are over many steps.
"""


class StepStatistics:
    """Means over the steps since the last ``read``; skipped steps are counted but not averaged."""

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._two_pass_steps = 0
        self._pending: list[tuple[Tensor, Tensor, Tensor]] = []
        self._folded: list[Tensor] = []
        self._fractions: list[Tensor] = []

    def add(self, norm: Tensor, rise: Tensor, norms: Tensor) -> None:
        """One step: its gradient norm, the rise of its loss (NaN after a single pass), and its
        gradient norm again, not finite in a step that was skipped. All 0-dim.
        """
        self._pending.append((norm, rise, norms))
        if len(self._pending) == _FOLD_EVERY:
            self._fold()

    def _fold(self) -> None:
        norm, rise, norms = (torch.stack(c).float() for c in zip(*self._pending, strict=True))
        values = torch.stack([norm, rise])
        kept = norms.isfinite() & values.isfinite()
        skipped = norms.isfinite().logical_not().sum(0, keepdim=True)
        totals = torch.cat([values.where(kept, 0).sum(1), kept.sum(1), skipped])
        self._folded = [sum(self._folded, totals)]
        self._pending.clear()

    def sample(self, grads: Tensors) -> list[Tensor] | None:
        """Return a sample of a two-pass step's first gradients, to compare with the second.

        Returns None in the 31 of 32 steps that are not sampled.
        """
        self._two_pass_steps += 1
        return _every_nth(grads) if self._two_pass_steps % _SAMPLE_EVERY == 1 else None

    def add_groups(self, sam_grads: Tensors, sgd_sample: Tensors, norms: Tensor) -> None:
        """Compare SAM's gradients with the sample of the first gradients of the same parameters."""
        fractions = group_fractions(torch.cat(_every_nth(sam_grads)), torch.cat(sgd_sample))
        self._fractions.append(fractions.where(norms.isfinite(), math.nan))

    def read(self) -> dict[str, float]:
        """Return the means since the last read, with one host sync; NaN if there are no steps.

        Keys: ``grad_norm`` (first pass), ``sharpness`` (the second pass's loss minus the first's),
        ``group_a``, ``group_b``, ``group_c`` (fractions of the components), ``skipped_steps``.
        """
        if self._pending:
            self._fold()
        totals = self._folded[0] if self._folded else torch.zeros(5)
        fractions = (
            torch.stack(self._fractions) if self._fractions else totals.new_full((1, 3), math.nan)
        )
        means = torch.cat([totals[:2] / totals[2:4], fractions.nanmean(0), totals[4:]]).tolist()
        self._restart()
        names = ["grad_norm", "sharpness", "group_a", "group_b", "group_c", "skipped_steps"]
        return dict(zip(names, means, strict=True))


def _every_nth(grads: Tensors) -> list[Tensor]:
    """Return copies of about _SAMPLE_SIZE components, evenly spaced over all gradients."""
    stride = max(1, sum(g.numel() for g in grads) // _SAMPLE_SIZE)
    return [g.flatten()[::stride].clone() for g in grads]
