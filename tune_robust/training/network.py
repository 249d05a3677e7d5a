"""The network of a configuration, made for the inputs of its data."""

from __future__ import annotations

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
        UserError: the network does not fit the inputs, or mixup would have to mix several.
    """
    fields = part.fields
    if fields is not None and config.mixup is not None:
        raise UserError(
            f"mixup mixes one tensor, and {config.data.dataset} returns several inputs ({fields}). "
            "Leave mixup out, or mix in data.augment of your own."
        )
    with float32_by_default():
        network = build_network(
            config.model,
            inputs=part.source,
            classes=classes,
            download=config.data.download,
            shapes=None if fields is None else fields.shapes,
        )
    if fields is not None:
        network.register_forward_pre_hook(Unpacking(fields), with_kwargs=True)
    return network
