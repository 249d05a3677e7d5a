"""Other implementations of SAM's step, to compare with: each is an (optimizer, step) pair."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import torch
from torch import Tensor, nn

Closure = Callable[[], Tensor]
Step = Callable[[Closure], object]


def peers(model: nn.Module, rho: float) -> dict[str, Step]:
    """Return the peers that can run here by name; a step takes a closure and includes SGD's own."""
    found = {
        "one tensor at a time": one_at_a_time(model, rho),
        "plain foreach": plain_foreach(model, rho),
    }
    if importlib.util.find_spec("pytorch_optimizer"):
        found["pytorch_optimizer"] = _pytorch_optimizer(model, rho)
    return found


def plain_sgd(model: nn.Module) -> Step:
    """Return SGD's step as in most training loops."""
    sgd = _sgd(list(model.parameters()))

    def step(closure: Closure) -> None:
        closure()
        sgd.step()

    return step


def one_at_a_time(model: nn.Module, rho: float) -> Step:
    """Return SAM's step as a loop over parameters, in the way of davda54/sam."""
    params = list(model.parameters())
    sgd = _sgd(params)

    @torch.no_grad()
    def step(closure: Closure) -> None:
        with torch.enable_grad():
            closure()
        norm = torch.stack([p.grad.norm() for p in params]).norm()
        saved = []
        for p in params:
            saved.append(p.detach().clone())
            p.add_(p.grad * (rho / (norm + 1e-12)))
        with torch.enable_grad():
            closure()
        for p, w in zip(params, saved, strict=True):
            p.copy_(w)
        sgd.step()

    return step


def plain_foreach(model: nn.Module, rho: float) -> Step:
    """Return SAM's step with ``torch._foreach_*`` in the simplest way: up, then back down."""
    params = list(model.parameters())
    sgd = _sgd(params, foreach=True)

    @torch.no_grad()
    def step(closure: Closure) -> None:
        with torch.enable_grad():
            closure()
        grads = [p.grad for p in params]
        norm = torch.stack(torch._foreach_norm(grads)).norm()
        moves = torch._foreach_mul(grads, rho / (norm + 1e-12))
        torch._foreach_add_(params, moves)
        with torch.enable_grad():
            closure()
        torch._foreach_sub_(params, moves)
        sgd.step()

    return step


def _pytorch_optimizer(model: nn.Module, rho: float) -> Step:
    from pytorch_optimizer import SAM

    settings = {"lr": 1e-6, "momentum": 0.9, "weight_decay": 5e-4}
    sam = SAM(model.parameters(), base_optimizer=torch.optim.SGD, rho=rho, **settings)

    def step(closure: Closure) -> None:
        closure()
        sam.first_step()
        closure()
        sam.second_step()

    return step


def _sgd(params: list[nn.Parameter], **options: bool) -> torch.optim.SGD:
    return torch.optim.SGD(params, lr=1e-6, momentum=0.9, weight_decay=5e-4, **options)
