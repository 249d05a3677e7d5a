"""Where the second pass looks: weights moved a distance rho up the loss.

SAM (Foret et al. 2020, arXiv 2010.01412) and ASAM (Kwon et al. 2021, arXiv 2102.11600). Functions
of lists of tensors: one tensor per parameter, of any shapes, all on one device.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

ADAPTIVE = ("asam", "elementwise")
"""The two conventions that go by the name of adaptive SAM."""

_TINY = 1e-12
"""Keeps a gradient of exactly zero from becoming 0/0; far below any norm that training meets."""


def global_norm(tensors: Sequence[Tensor], order: float = 2) -> Tensor:
    """The norm of all tensors taken as one vector, on their device (0-dim, no sync).

    Args:
        tensors: of any shapes.
        order: p of the p-norm, from 1 to inf.
    """
    return _joint(torch._foreach_norm(tensors, order), order)


def _joint(norms: Sequence[Tensor], order: float = 2) -> Tensor:
    """The norm of vectors laid end to end, from their norms."""
    return torch.linalg.vector_norm(torch.stack(norms), order)


def overflowed(tensors: Sequence[Tensor]) -> Tensor:
    """1 if a component is not finite, else 0 (0-dim, no sync): a third of a norm's time."""
    # The kernel takes float32 alone, whatever torch's default type is.
    made = {"device": tensors[0].device, "dtype": torch.float32}
    found = torch.zeros((), **made)
    torch._amp_foreach_non_finite_check_and_unscale_(tensors, found, torch.ones((), **made))
    return found


def moved_weights(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    *,
    rho: float | Sequence[float],
    norm: float = 2,
    adaptive: str | None = None,
    eta: float = 0.01,
) -> tuple[Sequence[Tensor], Tensor]:
    """The weights ``w + e``, new tensors, and ``||g||_2`` (0-dim).

    ``e`` has the length ``rho`` in the p-norm and climbs furthest for it: with ``1/p + 1/q = 1``,
    ``e = rho * d / ||d||_p`` for ``d = sign(g) |g|^(q - 1)``, so ``rho * g / ||g||`` for 2 and
    ``rho * sign(g)`` for inf. With a scale ``T_w`` per weight, ``e = rho * T_w^2 g / ||T_w g||``.
    The norms are over all parameters. Where ``||g||_2`` is not finite the weights are no use.

    Args:
        params: the weights ``w``.
        grads: their gradients ``g``, or another direction to climb, of the same shapes.
        rho: radius, a length in weight space; for the 2-norm about 0.05-0.5, ten times that when
            adaptive. In other norms lengths differ: n equal components are n^(1/p) long. One per
            parameter scales each parameter's part of ``e`` by its own.
        norm: p, above 1, up to inf; 2 when adaptive.
        adaptive: None is SAM, ``T_w = 1``. ``"asam"``: ``T_w = |w| + eta`` for weights (more than
            one dimension), 1 for biases and normalisation parameters (Kwon et al.).
            ``"elementwise"``: ``T_w = |w|`` everywhere (davda54/sam's ``adaptive=True``).
        eta: added to ``|w|`` by ``"asam"`` alone.
    """
    norms = torch._foreach_norm(grads)
    size = _joint(norms)
    if adaptive is not None:
        places, scales = _scales(params, adaptive, eta)
        scaled = torch._foreach_mul([grads[i] for i in places], scales)
        length = _joint(_replaced(norms, places, torch._foreach_norm(scaled)))
        torch._foreach_mul_(scaled, scales)
        return _along(_replaced(grads, places, scaled), params, rho, length), size
    if norm == 2:
        return _along(grads, params, rho, size), size
    directions = _steepest(grads, norm)
    return _along(directions, params, rho, global_norm(directions, norm)), size


def _steepest(grads: Sequence[Tensor], norm: float) -> list[Tensor]:
    """The direction of steepest ascent in the p-norm, ``sign(g) |g|^(q - 1)``, of any length."""
    exponent = 1 / (norm - 1)  # q - 1; 0 for inf
    powers = torch._foreach_abs(grads)
    # Relative to the largest: for p near 1 the exponent is huge, and 0.1^100 is 0 in float32.
    torch._foreach_div_(powers, global_norm(powers, math.inf) + _TINY)
    torch._foreach_pow_(powers, exponent)
    signs = torch._foreach_sign(grads)
    torch._foreach_mul_(powers, signs)
    return powers


def _along(
    directions: Sequence[Tensor],
    params: Sequence[Tensor],
    rho: float | Sequence[float],
    length: Tensor,
) -> Sequence[Tensor]:
    """``params + rho / length * directions``."""
    if isinstance(rho, Sequence):
        directions, rho = torch._foreach_mul(directions, rho), 1.0
    if length.device.type == "cpu":  # one pass over memory, and reading a number is free there
        return torch._foreach_add(params, directions, alpha=rho / (length.item() + _TINY))
    moved = torch._foreach_mul(directions, (length + _TINY).reciprocal_().mul_(rho))
    torch._foreach_add_(moved, params)
    return moved


@contextmanager
def weights_at(params: Sequence[Tensor], moved: Sequence[Tensor]) -> Iterator[None]:
    """Inside, ``params`` hold the tensors ``moved``; after it, also after an error, their own.

    Storages change places, so nothing is copied and the weights come back bit for bit.
    """
    own = [p.data for p in params]
    try:
        _point(params, moved)
        yield
    finally:
        _point(params, own)


def _point(params: Sequence[Tensor], tensors: Sequence[Tensor]) -> None:
    for param, tensor in zip(params, tensors, strict=True):
        param.data = tensor


def _scales(
    params: Sequence[Tensor], adaptive: str, eta: float
) -> tuple[list[int], Sequence[Tensor]]:
    """The places of the parameters whose ``T_w`` is not 1, and their ``T_w``."""
    if adaptive == "elementwise":
        return list(range(len(params))), torch._foreach_abs(params)
    places = [i for i, w in enumerate(params) if w.ndim > 1]
    scales = torch._foreach_abs([params[i] for i in places])
    torch._foreach_add_(scales, eta)
    return places, scales


def _replaced(
    tensors: Sequence[Tensor], places: Sequence[int], others: Sequence[Tensor]
) -> list[Tensor]:
    """``tensors``, with ``others`` at ``places``."""
    result = list(tensors)
    for place, other in zip(places, others, strict=True):
        result[place] = other
    return result
