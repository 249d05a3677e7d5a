"""Several networks trained as one: their weights stacked, one kernel for all (torch.func.vmap)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from rows import Bench, Row, checked, milliseconds
from torch import Tensor
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from tune_robust.config import ModelConfig
from tune_robust.methods.batch_norm import statistics_paused, tracking_modules
from tune_robust.models import build_model
from tune_robust.training.graphs import cuda_graphs

PART = "packs"

Weights = dict[str, Tensor]


def packs(bench: Bench) -> Iterator[Row]:
    """Milliseconds a SAM step takes for each network of a pack, against packs of one."""
    networks = ("small_cnn",) if bench.quick else ("small_cnn", "resnet32", "resnet18")
    for network in networks:
        if bench.network in (None, network):
            yield from _of(bench, network)


def _of(bench: Bench, network: str) -> Iterator[Row]:
    alone: list[float] = []
    for count in (1, 2) if bench.quick else (1, 4, 8, 16):

        def check(count: int = count) -> tuple[str, None]:
            step = _recorded(bench, _pack(bench, network, count))
            steps = (1, 1) if bench.quick else (30, 5)
            each = milliseconds(bench.device, step, count=steps[0], warm=steps[1]) / count
            alone.append(each)
            return f"{each:.2f} ms a network and step, {alone[0] / each:.2f} x a pack of one", None

        yield checked(PART, f"{network}: {count} together, SAM", "8: 1.5 x with graphs, MPS", check)


def _recorded(bench: Bench, step: Callable[[], None]) -> Callable[[], None]:
    """``step`` as a CUDA graph, where there are any."""
    graphs = cuda_graphs(bench.device)
    if graphs is None:
        return step
    with graphs.beside():
        for _ in range(3):
            step()
    return graphs.record(step)[0]


def _pack(bench: Bench, network: str, count: int) -> Callable[[], None]:
    """SAM's step of ``count`` networks, each with a radius and a learning rate of its own."""
    device, batch, size = bench.device, 8 if bench.quick else 128, 8 if bench.quick else 32
    models = [
        build_model(ModelConfig(name=network), channels=3, image_size=size, classes=10).to(device)
        for _ in range(count)
    ]
    stacked, buffers = stack_module_state(models)
    weights = {name: weight.detach() for name, weight in stacked.items()}
    base = copy.deepcopy(models[0]).train()
    inputs = torch.randn(count, batch, 3, size, size, device=device)
    labels = torch.randint(0, 10, (count, batch), device=device)
    momenta = [torch.zeros_like(weight) for weight in weights.values()]
    rho, rate = (torch.full((count,), value, device=device) for value in (0.1, 0.01))

    def loss(weights: Weights, buffers: Weights, x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, cache_enabled=False, enabled=bench.cuda):
            logits = functional_call(base, (weights, buffers), (x,))
        return F.cross_entropy(logits.float(), y)

    gradients = vmap(grad_and_value(loss))

    def step() -> None:
        first, _ = gradients(weights, buffers, inputs, labels)
        norm = torch.stack([g.flatten(1).square().sum(1) for g in first.values()]).sum(0).sqrt()
        scale = rho / (norm + 1e-12)
        moved = {name: w + _each(scale, w) * first[name] for name, w in weights.items()}
        with statistics_paused(tracking_modules(base)):
            second, _ = gradients(moved, buffers, inputs, labels)
        torch._foreach_mul_(momenta, 0.9)
        torch._foreach_add_(momenta, [second[name] for name in weights])
        for weight, momentum in zip(weights.values(), momenta, strict=True):
            weight.sub_(_each(rate, weight) * momentum)

    return step


def _each(scalars: Tensor, like: Tensor) -> Tensor:
    """One number of ``scalars`` (E,) for each network of ``like`` (E, ...)."""
    return scalars.view(-1, *[1] * (like.ndim - 1))
