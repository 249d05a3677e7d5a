"""The network of a configuration, made for the inputs of its data."""

from __future__ import annotations

import torch
from torch import nn

from tune_robust.config import TrainConfig
from tune_robust.data import LabelledImages
from tune_robust.data.fields import Unpacking
from tune_robust.errors import UserError
from tune_robust.models import build_network
from tune_robust.training.device import float32_by_default


def network_for(config: TrainConfig, part: LabelledImages, classes: int) -> nn.Module:
    """Return a network with new weights for the inputs of ``part`` and K ``classes``.

    If a sample has several inputs, the network is called with them by name.

    Raises:
        UserError: the network does not fit the inputs, or mixup cannot mix them.
    """
    fields = part.fields
    numbers = part.source.dtype == torch.uint8 or part.source.is_floating_point()
    if config.mixup is not None and (fields is not None or not numbers):
        raise UserError(
            "mixup mixes one tensor of pixels or floating-point numbers; the inputs are "
            f"{part.describe()} each. Leave mixup out, or mix in the network."
        )
    with float32_by_default():
        network = build_network(
            config.model,
            inputs=part.source[:1],
            classes=classes,
            download=config.data.download,
            shapes=None if fields is None else fields.shapes,
        )
    if fields is not None:
        network.register_forward_pre_hook(Unpacking(fields), with_kwargs=True)
    return network
