"""The point of the second pass: the weights moved by a distance rho in a direction of ascent.

SAM (Foret et al. 2020, arXiv 2010.01412) and ASAM (Kwon et al. 2021, arXiv 2102.11600). Functions
of lists of tensors: one tensor per parameter, of any shapes, all on one device.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from tune_robust.methods.numbers import Number, readable
from tune_robust.methods.tensors import Tensors

ADAPTIVE = ("asam_by_name", "asam_by_shape", "elementwise")
"""The conventions that are called adaptive SAM; they differ in which weights they scale."""

_TINY = 1e-12
"""Avoids 0/0 for a gradient of exactly zero; far below any norm that occurs in training."""


def global_norm(tensors: Tensors, order: float = 2) -> Tensor:
    """Return the norm of all tensors as one vector, on their device (0-dim, without a host sync).

    Args:
        tensors: tensors of any shapes.
        order: p of the p-norm, from 1 to inf.
    """
    return _joint(torch._foreach_norm(tensors, order), order)


def _joint(norms: Tensors, order: float = 2) -> Tensor:
    """Return the norm of concatenated vectors, from their norms."""
    return torch.linalg.vector_norm(torch.stack(norms), order)


def overflowed(tensors: Tensors) -> Tensor:
    """Return 1 if a component is not finite, else 0 (0-dim, no sync); faster than a norm."""
    # The kernel accepts only float32, whatever torch's default type is.
    found = torch.zeros((), dtype=torch.float32, device=tensors[0].device)
    torch._amp_foreach_non_finite_check_and_unscale_(tensors, found, torch.ones_like(found))
    return found


def moved_weights(
    params: Tensors,
    grads: Tensors,
    *,
    rho: Number | Sequence[float],
    norm: float = 2,
    adaptive: str | None = None,
    eta: float = 0.01,
    names: Sequence[str] | None = None,
) -> tuple[Tensors, Tensor]:
    """Return the weights ``w + e`` as new tensors, and ``||g||_2`` (0-dim).

    ``e`` is the step of length ``rho`` in the p-norm along which the linearised loss rises most:
    with ``1/p + 1/q = 1``, ``e = rho * d / ||d||_p`` for ``d = sign(g) |g|^(q - 1)``, so ``rho * g
    / ||g||`` for 2 and ``rho * sign(g)`` for inf. With a scale ``T_w`` per weight, ``e = rho *
    T_w^2 g / ||T_w g||``. The norms are over all parameters. If ``||g||_2`` is not finite, the
    weights are invalid.

    Args:
        params: the weights ``w``.
        grads: their gradients ``g``, or another direction to climb, of the same shapes.
        rho: radius, a length in weight space; for the 2-norm about 0.05-0.5, ten times that when
            adaptive. In other norms lengths differ: n equal components are n^(1/p) long. One per
            parameter scales each parameter's part of ``e`` by its own.
        norm: p, above 1, up to inf; 2 when adaptive.
        adaptive: None is SAM, ``T_w = 1``. ``"asam_by_name"``: ``T_w = |w| + eta`` for parameters
            whose name contains ``weight``, BatchNorm's included, and 1 for the others, as in the
            code published with ASAM (SamsungLabs/ASAM). ``"asam_by_shape"``: the same scale for
            tensors of more than one dimension, and 1 for biases and normalisation parameters.
            ``"elementwise"``: ``T_w = |w|`` everywhere (davda54/sam's and SANER's
            ``adaptive=True``).
        eta: added to ``|w|`` by the two ``asam`` conventions.
        names: the parameters' names, in the order of ``params``; used by ``"asam_by_name"`` alone.
    """
    norms = torch._foreach_norm(grads)
    size = _joint(norms)
    if adaptive is not None:
        places, scales = _scales(params, adaptive, eta, names)
        scaled = torch._foreach_mul([grads[i] for i in places], scales)
        length = _joint(_replaced(norms, places, torch._foreach_norm(scaled)))
        torch._foreach_mul_(scaled, scales)
        return _along(_replaced(grads, places, scaled), params, rho, length), size
    if norm == 2:
        return _along(grads, params, rho, size), size
    directions = _steepest(grads, norm)
    return _along(directions, params, rho, global_norm(directions, norm)), size


def _steepest(grads: Tensors, norm: float) -> Tensors:
    """Return the direction of steepest ascent in the p-norm, ``sign(g) |g|^(q - 1)``."""
    exponent = 1 / (norm - 1)  # q - 1; 0 for inf
    powers = torch._foreach_abs(grads)
    # Relative to the largest: for p near 1 the exponent is huge, and 0.1^100 is 0 in float32.
    torch._foreach_div_(powers, global_norm(powers, math.inf) + _TINY)
    torch._foreach_pow_(powers, exponent)
    signs = torch._foreach_sign(grads)
    torch._foreach_mul_(powers, signs)
    return powers


def _along(
    directions: Tensors, params: Tensors, rho: Number | Sequence[float], length: Tensor
) -> Tensors:
    """Return ``params + rho / length * directions``."""
    if isinstance(rho, Sequence):
        directions, rho = torch._foreach_mul(directions, rho), 1.0
    if readable(length):  # one pass over memory
        return torch._foreach_add(params, directions, alpha=float(rho) / (length.item() + _TINY))
    moved = torch._foreach_mul(directions, (length + _TINY).reciprocal_().mul_(rho))
    torch._foreach_add_(moved, params)
    return moved


@contextmanager
def weights_at(params: Tensors, moved: Tensors) -> Iterator[None]:
    """Put the tensors ``moved`` into ``params``, and restore them at the end or on an error.

    The storages are swapped, so nothing is copied and the weights are restored bit for bit.
    """
    own = [p.data for p in params]
    try:
        _point(params, moved)
        yield
    finally:
        _point(params, own)


def _point(params: Tensors, tensors: Tensors) -> None:
    for param, tensor in zip(params, tensors, strict=True):
        param.data = tensor


def _scales(
    params: Tensors, adaptive: str, eta: float, names: Sequence[str] | None
) -> tuple[list[int], Tensors]:
    """Return the positions of the parameters whose ``T_w`` is not 1, and their ``T_w``."""
    if adaptive == "elementwise":
        return list(range(len(params))), torch._foreach_abs(params)
    if adaptive == "asam_by_name":
        if names is None:
            raise ValueError("asam_by_name needs the names of the parameters")
        places = [i for i, name in enumerate(names) if "weight" in name]
    else:
        places = [i for i, w in enumerate(params) if w.ndim > 1]
    scales = torch._foreach_abs([params[i] for i in places])
    torch._foreach_add_(scales, eta)
    return places, scales


def _replaced(tensors: Tensors, places: Sequence[int], others: Tensors) -> list[Tensor]:
    """Return ``tensors`` with ``others`` at ``places``."""
    result = list(tensors)
    for place, other in zip(places, others, strict=True):
        result[place] = other
    return result
