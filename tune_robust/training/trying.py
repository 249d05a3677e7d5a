"""One small step with the parts of a configuration that come from elsewhere, before any trial.

What is wrong with them is then one clear error of the command, and not that of every trial.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tune_robust.config import TrainConfig, is_own, own_parts
from tune_robust.data import Batches, Splits
from tune_robust.errors import UserError
from tune_robust.methods import build_optimizer, sample_loss
from tune_robust.own import explained, import_seconds
from tune_robust.training.network import network_for

BATCH = 8
"""Inputs of the step."""

_SLOW = 10.0
"""Seconds from which on an import is worth a warning."""


def try_parts(config: TrainConfig, splits: Splits) -> None:
    """Take one step of plain gradient descent on ``BATCH`` inputs, on the CPU.

    PyTorch's global random numbers are left as they are.

    Raises:
        UserError: a part cannot be found or called, fails, or gives something else than its
            contract says; where it happened, what was expected and what was found.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        _take_step(config, splits)


def _take_step(config: TrainConfig, splits: Splits) -> None:
    parts, classes = own_parts(config), len(splits.classes)
    with _blaming(parts, "data.augment", "a batch"):
        inputs, labels = _batch(config, splits)
    network = network_for(config, splits.train, classes)
    fields = splits.train.fields
    given = f"one batch, {fields or f'{inputs.dtype} {tuple(inputs.shape)}'}"
    with _blaming(parts, "model.name", f"the forward pass of {given}"):
        logits = network.train()(inputs)
    _check_logits(logits, config, len(inputs), splits)
    losses = _losses(config, logits.float(), labels, classes, parts)
    with _blaming(parts, "model.name", f"the backward pass of {given}"):
        losses.mean().backward()
    for name, parameter in network.named_parameters():
        if parameter.grad is not None:
            told = f"model.name: {config.model.name}: after the backward pass of the loss "
            told += f"{config.loss.name}, the gradient of {name} has values"
            _check_finite(parameter.grad, told)
    _step(config, network, parts)


def _batch(config: TrainConfig, splits: Splits) -> tuple[Tensor, Tensor]:
    part = splits.train.take(torch.arange(min(BATCH, len(splits.train))))
    batches = Batches(
        part,
        len(part),
        augment=config.data.augment,
        mean=splits.mean,
        std=splits.std,
        generator=torch.Generator().manual_seed(config.seed),
    )
    inputs, labels, _ = next(iter(batches))
    return inputs, labels


@contextmanager
def _blaming(parts: dict[str, str], setting: str, what: str) -> Iterator[None]:
    """Says which part has failed, and at what; parts that are built in raise what they raise."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if setting not in parts:
            raise
        raise UserError(
            f"{setting}: {parts[setting]}: {what} has failed: {explained(error)}."
        ) from error


def _check_logits(logits: Any, config: TrainConfig, batch: int, splits: Splits) -> None:
    classes = len(splits.classes)
    found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if found != (batch, classes):
        raise UserError(
            f"model.name: {config.model.name} returned {found} for a batch of {batch}; expected "
            f"({batch}, {classes}), a logit for each of the {classes} classes. A constructor that "
            "has an argument `classes` gets their number."
        )
    _check_finite(logits, f"model.name: {config.model.name} returned logits")
    if not logits.requires_grad:
        raise UserError(
            f"model.name: {config.model.name} returned logits without a gradient. Register layers "
            "as attributes or in a torch.nn.ModuleList, and do not detach what they return."
        )


def _check_finite(values: Tensor, told: str) -> None:
    wrong = int((~values.isfinite()).sum())
    if wrong:
        raise UserError(
            f"{told} of which {wrong} of {values.numel()} are NaN or infinite, on the very first "
            "batch. Look for a logarithm of 0, a division by 0, or weights that are not set."
        )


def _losses(
    config: TrainConfig, logits: Tensor, labels: Tensor, classes: int, parts: dict[str, str]
) -> Tensor:
    if "loss.name" not in parts:
        return F.cross_entropy(logits, labels, reduction="none")
    targets = F.one_hot(labels, classes).float()
    shapes = f"logits {tuple(logits.shape)} and targets {tuple(targets.shape)}"
    hint = "probabilities of the classes: targets.argmax(1) are the labels"
    with _blaming(parts, "loss.name", f"the loss of {shapes} ({hint})"):
        losses = sample_loss(config.loss)(logits, targets)
    if not losses.requires_grad:
        raise UserError(
            f"loss.name: {config.loss.name} returned losses without a gradient. Compute them from "
            "the logits by PyTorch's functions, without detach() or argmax()."
        )
    _check_finite(losses, f"loss.name: {config.loss.name} returned losses")
    return losses


def _step(config: TrainConfig, network: nn.Module, parts: dict[str, str]) -> None:
    optimizer = build_optimizer(config.optimizer, network.parameters(), torch.device("cpu"))
    with _blaming(parts, "optimizer.name", "a step"):
        _either(optimizer, "train")()
        optimizer.step()
        _either(optimizer, "eval")()
    setting = "optimizer.name" if "optimizer.name" in parts else "model.name"
    try:
        buffer = io.BytesIO()
        torch.save([network.state_dict(), optimizer.state_dict()], buffer)
        buffer.seek(0)
        torch.load(buffer, weights_only=True)
    except Exception as error:
        raise UserError(
            f"{setting}: {parts.get(setting, config.model.name)}: its state cannot be saved in a "
            f"checkpoint, which holds tensors and plain data alone: {explained(error)}."
        ) from error


def _either(optimizer: torch.optim.Optimizer, mode: str) -> Callable[[], None]:
    """``optimizer.train`` or ``optimizer.eval``, which schedule-free ones have."""
    found: Callable[[], None] | None = getattr(optimizer, mode, None)
    return found if found is not None else lambda: None


def slow_imports(config: TrainConfig) -> Iterator[str]:
    """A sentence for each module of own parts that took long to import."""
    for name in own_parts(config).values():
        module = name.partition(":")[0]
        seconds = import_seconds.get(module, 0.0)
        if is_own(name) and seconds >= _SLOW:
            yield (
                f"Importing {module} took {seconds:.0f} s, and every process that runs trials "
                "imports it again. Import what is slow, and seldom needed, inside functions."
            )
