"""SAM, its variants and SANER step by step, one parameter at a time, as the papers write them.

Slow and obvious on purpose: SGD with momentum and weight decay is written out, nothing is shared
with the fast methods.
"""

from __future__ import annotations

import math

import torch
from torch import nn


class ReferenceSharpnessAware:
    """``groups``: dicts with ``params``, ``lr``, ``momentum`` and ``weight_decay``."""

    def __init__(
        self,
        groups,
        *,
        rho,
        norm=2,
        adaptive=None,
        eta=0.01,
        variant="sam",
        g_alpha=0.01,
        sigma=1.0,
        lmbda=0.9,
        theta=0.2,
        alpha=None,
        rule=None,
        last_layer=False,
        model=None,
    ):
        self.groups = [{**group, "params": list(group["params"])} for group in groups]
        self.rho, self.norm, self.adaptive, self.eta, self.alpha = rho, norm, adaptive, eta, alpha
        self.variant, self.g_alpha = variant, g_alpha
        self.rule = rule
        self.only = None
        if last_layer:
            self.only = [m.weight for m in model.modules() if isinstance(m, nn.Linear)][-1:]
        self.sigma, self.lmbda, self.theta = sigma, lmbda, theta
        self.means = {}
        self.names = {} if model is None else {p: n for n, p in model.named_parameters()}
        self.batch_norms = [] if model is None else _batch_norms(model)
        self.momenta = {}

    def step(self, closure):
        loss = self.gradients(closure)
        self.descend()
        return loss

    def gradients(self, closure):
        """Leave in ``.grad`` what the step descends; the first pass's loss."""
        loss = closure()
        params = [p for group in self.groups for p in group["params"] if p.grad is not None]
        first = {p: p.grad.detach().clone() for p in params}
        if self.rho > 0:
            self._second_pass(closure, first)
        return loss.detach()

    def descend(self):
        for group in self.groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._descend(p, group)

    def _second_pass(self, closure, first):
        weights = {p: p.detach().clone() for p in first}
        statistics = {m: (m.running_mean.clone(), m.running_var.clone()) for m in self.batch_norms}
        counts = {m: m.num_batches_tracked.clone() for m in self.batch_norms}
        for p, e in self._perturbation(first).items():
            p.data = p.data + e
        closure()
        for p, w in weights.items():
            p.data = w
        for m, (mean, var) in statistics.items():
            m.running_mean.copy_(mean)
            m.running_var.copy_(var)
            m.num_batches_tracked.copy_(counts[m])
        if self.variant == "gsam":
            self._decompose(first)
        if self.alpha is not None:
            for p, g in first.items():
                if self.only is None or p is self.only[0]:
                    p.grad = self._reweighted(p.grad, g)

    def _perturbation(self, first):
        directions = {p: self._direction(p, g) for p, g in first.items()}
        if self.norm == 2:
            total = sum((self._scale(p) * d).pow(2).sum().item() for p, d in directions.items())
            return {
                p: self.rho * self._scale(p) ** 2 * d / total**0.5 for p, d in directions.items()
            }
        if self.norm == math.inf:
            return {p: self.rho * d.sign() for p, d in directions.items()}
        q = self.norm / (self.norm - 1)
        total = sum(d.abs().pow(q).sum().item() for d in directions.values())
        return {
            p: self.rho * d.sign() * d.abs() ** (q - 1) / total ** (1 / self.norm)
            for p, d in directions.items()
        }

    def _direction(self, p, g):
        before = self.means.get(p)
        if self.variant == "fsam":
            self.means[p] = g if before is None else self.lmbda * before + (1 - self.lmbda) * g
            return g if before is None else g - self.sigma * before
        if self.variant == "vasso":
            self.means[p] = g if before is None else (1 - self.theta) * before + self.theta * g
            return self.means[p]
        return g

    def _decompose(self, first):
        sam = torch.cat([p.grad.flatten() for p in first])
        sgd = torch.cat([g.flatten() for g in first.values()])
        cosine = (sam @ sgd) / (sam.norm() * sgd.norm())
        orthogonal = sgd - cosine * sgd.norm() * sam / sam.norm()
        for p, piece in zip(first, orthogonal.split([p.numel() for p in first]), strict=True):
            p.grad = p.grad - self.g_alpha * piece.view(p.shape)

    def _scale(self, p):
        w = p.detach()
        if self.adaptive == "asam_by_name":
            return w.abs() + self.eta if "weight" in self.names[p] else torch.ones_like(w)
        if self.adaptive == "asam_by_shape":
            return w.abs() + self.eta if w.ndim > 1 else torch.ones_like(w)
        if self.adaptive == "elementwise":
            return w.abs()
        return torch.ones_like(w)

    def _reweighted(self, sam, sgd):
        pairs = zip(sam.flatten().tolist(), sgd.flatten().tolist(), strict=True)
        if self.rule is None:
            result = [self.alpha * s if g != 0 and 0 < s / g < 1 else s for s, g in pairs]
        else:
            result = [self._by_rule(s, g) for s, g in pairs]
        return torch.tensor(result, dtype=sam.dtype).view(sam.shape)

    def _by_rule(self, s, g):
        rule = self.rule
        r = s / g if g != 0 else 0
        inside = {
            "a": r >= rule.threshold,
            "b": 0 < r < rule.threshold,
            "c": r <= 0,
            "ab": r > 0,
        }[rule.group]
        if rule.action == "without":
            return g if inside else s
        if rule.action == "only":
            return s if inside else g
        factor = self.alpha
        if rule.soft:
            factor += (1 - self.alpha) * r / rule.threshold
        return factor * s if inside else s

    def _descend(self, p, group):
        d = p.grad + group["weight_decay"] * p.detach()
        if p in self.momenta:
            d = group["momentum"] * self.momenta[p] + d
        self.momenta[p] = d
        p.data = p.data - group["lr"] * d


def _batch_norms(model):
    return [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
