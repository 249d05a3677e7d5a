"""Inception-ResNet-v2 (Szegedy et al. 2017, arXiv 1602.07261), used in studies of WebVision."""

from __future__ import annotations

from typing import Any

from torch import nn

from tune_robust.errors import UserError


def inception_resnet_v2(channels: int, width: float) -> tuple[nn.Module, int]:
    """Return the network of timm, which has only one width, without dropout.

    For 3 channels and 1,000 classes it has 55,843,464 parameters including the head, as timm lists
    it.

    Raises:
        UserError: timm is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise UserError(
            "model.name: inception_resnet_v2 comes from timm, which is not installed. "
            "Install it: pip install 'tune-robust[timm]'"
        ) from error
    features: Any = timm.create_model(
        "inception_resnet_v2", pretrained=False, num_classes=0, in_chans=channels
    )
    dimension: Any = features.num_features
    return features, dimension
