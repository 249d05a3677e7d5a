"""The base optimizers, in the fastest form that PyTorch has for the device."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn

from tune_robust import config
from tune_robust.errors import UserError
from tune_robust.own import call_part, import_part

_FUSED_DEVICES = ("cpu", "cuda", "mps", "xpu")


def build_optimizer(
    settings: config.Optimizer,
    parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
    device: torch.device,
) -> torch.optim.Optimizer:
    """Return SGD or AdamW over ``parameters``, fused if ``device`` has the kernel, or another.

    Raises:
        UserError: there is no such optimizer, or its arguments do not fit.
    """
    if isinstance(settings, config.OwnOptimizer):
        return _own_optimizer(settings, parameters)
    fused = device.type in _FUSED_DEVICES
    match settings:
        case config.SgdConfig():
            return (CpuSGD if device.type == "cpu" else torch.optim.SGD)(
                parameters,
                lr=settings.lr,
                momentum=settings.momentum,
                weight_decay=settings.weight_decay,
                nesterov=settings.nesterov,
                fused=fused,
            )
        case config.AdamWConfig():
            return torch.optim.AdamW(
                parameters,
                lr=settings.lr,
                betas=(settings.beta1, settings.beta2),
                weight_decay=settings.weight_decay,
                fused=fused,
            )
    raise TypeError(f"not an optimizer's settings: {settings!r}")


def _own_optimizer(
    settings: config.OwnOptimizer, parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]]
) -> torch.optim.Optimizer:
    name, setting = settings.name, "optimizer.name"
    part = import_part(name, setting)
    made = call_part(part, name, setting, [*parameters], arguments=settings.arguments)
    if not isinstance(made, torch.optim.Optimizer):
        raise UserError(
            f"{setting}: {name} returned {type(made).__name__}; expected a torch.optim.Optimizer."
        )
    return made


class CpuSGD(torch.optim.SGD):
    """torch's fused SGD on a CPU, without dampening, for weights in either memory layout.

    torch's own class copies every channels-last gradient without using the copy, which takes half
    of its time. It also misreads a gradient whose memory layout differs from that of its weight;
    here such a gradient is copied to the layout of the weight first.
    """

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step with the current gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            torch._fused_sgd_(
                [_in_order_of(p, p) for p in params],
                [_in_order_of(p, p.grad) for p in params],
                [_in_order_of(p, self._momentum(p)) for p in params if group["momentum"]],
                lr=group["lr"],
                is_first_step=False,
                **{name: group[name] for name in _SETTINGS},
            )
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from the ``state_dict`` of any SGD."""
        super().load_state_dict(state_dict)
        for param, state in self.state.items():
            if state.get("momentum_buffer") is not None:
                state["momentum_buffer"] = torch.empty_like(param).copy_(state["momentum_buffer"])

    def _momentum(self, param: nn.Parameter) -> Tensor:
        state = self.state[param]
        if state.get("momentum_buffer") is None:
            state["momentum_buffer"] = torch.zeros_like(param)
        return state["momentum_buffer"]


_SETTINGS = ("weight_decay", "momentum", "dampening", "nesterov", "maximize")


def _in_order_of(param: Tensor, tensor: Tensor) -> Tensor:
    """Return ``tensor`` in the memory layout of ``param``, contiguous or channels-last."""
    return (tensor if param.is_contiguous() else tensor.permute(0, 2, 3, 1)).contiguous()
