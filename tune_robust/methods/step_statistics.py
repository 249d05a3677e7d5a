"""Statistics of the optimizer steps, kept on the device and copied to the host only when read."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from tune_robust.methods.reweighting import group_fractions
from tune_robust.methods.tensors import Tensors

_FOLD_EVERY = 64
"""Steps whose scalars are kept before they are summed, which bounds the memory they take."""

_SAMPLE_EVERY = 32
"""One step in this many measures the fractions of the groups, beginning with the first."""

_SAMPLE_SIZE = 16_384
"""Components compared in such a step, up to twice as many; smaller networks completely.

The standard error of a fraction is then at most 0.4 points per step; means are over many steps.
"""


class Seen(NamedTuple):
    """What a step observed, on its device.

    Attributes:
        loss: of the first pass, 0-dim.
        norm: of the first pass's gradient, 0-dim.
        rise: the second pass's loss minus the first's, 0-dim; NaN after a single pass.
        norms: the gradient norm again, 0-dim; not finite in a step that was skipped.
        fractions: of SANER's groups, (3,), in a step that measures them.
    """

    loss: Tensor
    norm: Tensor
    rise: Tensor
    norms: Tensor
    fractions: Tensor | None = None


class StepStatistics:
    """Means over the steps since the last ``read``; skipped steps are counted but not averaged."""

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._steps = 0
        self._pending: list[Seen] = []
        self._folded: list[Tensor] = []
        self._fractions: list[Tensor] = []

    @property
    def groups_are_due(self) -> bool:
        """Return whether the next step measures the fractions of the groups."""
        return self._steps % _SAMPLE_EVERY == 0

    def add(self, seen: Seen) -> None:
        """Record one step."""
        self._steps += 1
        self._pending.append(seen)
        if seen.fractions is not None:
            self._fractions.append(seen.fractions.where(seen.norms.isfinite(), math.nan))
        if len(self._pending) == _FOLD_EVERY:
            self._fold()

    def _fold(self) -> None:
        _, *columns, _ = zip(*self._pending, strict=True)
        norm, rise, norms = (torch.stack(column).float() for column in columns)
        values = torch.stack([norm, rise])
        kept = norms.isfinite() & values.isfinite()
        skipped = norms.isfinite().logical_not().sum(0, keepdim=True)
        totals = torch.cat([values.where(kept, 0).sum(1), kept.sum(1), skipped])
        self._folded = [sum(self._folded, totals)]
        self._pending.clear()

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


def sampled(grads: Tensors) -> list[Tensor]:
    """Return copies of about _SAMPLE_SIZE components, evenly spaced over all gradients."""
    stride = max(1, sum(g.numel() for g in grads) // _SAMPLE_SIZE)
    return [g.flatten()[::stride].clone() for g in grads]


def sampled_fractions(sam_grads: Tensors, sgd_sample: Tensors) -> Tensor:
    """Return the fractions of the groups, (3,), for SAM's gradients and ``sampled`` first ones."""
    return group_fractions(torch.cat(sampled(sam_grads)), torch.cat([*sgd_sample]))
