"""Networks; ``build_network`` makes the one that a configuration names.

``classifier``    the common structure of all networks
``small_cnn``     trains in seconds on one CPU core
``resnet``        for small images; two of them also with ImageNet's stem and weights
``densenet``, ``wide_resnet``
``mlp``, ``vision_transformer``  networks without convolutions
``inception``     from timm, an optional dependency
``own``           the user's own, timm's and torchvision's
``weights``       pretrained ImageNet weights
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tune_robust.config import IMAGENET_NETWORKS, Model, ModelConfig, OwnModel
from tune_robust.errors import UserError
from tune_robust.models.classifier import Classifier, initialise
from tune_robust.models.densenet import densenet121
from tune_robust.models.inception import inception_resnet_v2
from tune_robust.models.mlp import mlp, mlp_of_rows
from tune_robust.models.own import WithFeatures, last_linear, own_network
from tune_robust.models.resnet import resnet18, resnet20, resnet32, resnet34, resnet56
from tune_robust.models.small_cnn import small_cnn
from tune_robust.models.vision_transformer import vit_tiny
from tune_robust.models.weights import load_weights
from tune_robust.models.wide_resnet import wrn28_10, wrn40_2

__all__ = [
    "NETWORKS",
    "SMALLEST_IMAGE",
    "Classifier",
    "WithFeatures",
    "build_model",
    "build_network",
    "last_linear",
]

NETWORKS: dict[str, Callable[..., tuple[nn.Module, int]]] = {
    "densenet121": densenet121,
    "inception_resnet_v2": inception_resnet_v2,
    "mlp": mlp,
    "resnet18": resnet18,
    "resnet20": resnet20,
    "resnet32": resnet32,
    "resnet34": resnet34,
    "resnet56": resnet56,
    "small_cnn": small_cnn,
    "vit_tiny": vit_tiny,
    "wrn28_10": wrn28_10,
    "wrn40_2": wrn40_2,
}
"""Maps ``model.name`` to a function of (channels, width) that returns the module images -> (B, D)
and D.
"""

_SIZED = ("mlp", "vit_tiny")
"""Networks whose weights depend on the size of the images, which they take as ``image_size``."""

SMALLEST_IMAGE = {"inception_resnet_v2": 75} | {
    name: 8 for name in NETWORKS if name != "inception_resnet_v2"
}
"""Maps ``model.name`` to the smallest allowed side of an image in pixels."""


def build_network(
    config: Model,
    *,
    inputs: Tensor,
    classes: int,
    download: bool = True,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> nn.Module:
    """The network of ``config`` for such ``inputs``, built in or from elsewhere.

    Args:
        config: its name and settings.
        inputs: (N, ...), of whose shape and type the network's inputs are.
        classes: K, the size of the output.
        download: whether pretrained weights may be downloaded.
        shapes: the shape of each input by name, if a sample has several.

    Raises:
        UserError: as ``build_model`` and ``own_network`` say, or the network takes images alone.
    """
    if isinstance(config, OwnModel):
        return own_network(config, inputs=inputs, classes=classes, download=download, shapes=shapes)
    if shapes is not None:
        raise UserError(
            f"model.name: {config.name} takes one input, and each sample has several: "
            f"{', '.join(shapes)}. Use a network of your own, whose forward names them."
        )
    numbers = inputs.dtype == torch.uint8 or inputs.is_floating_point()
    if inputs.ndim == 4 and numbers:
        channels, image_size = inputs.shape[1:3]
        return build_model(
            config, channels=channels, image_size=image_size, classes=classes, download=download
        )
    if config.name != "mlp" or not numbers:
        raise UserError(
            f"model.name: {config.name} takes images (C, H, W), and mlp images or rows of a table; "
            f"the inputs are {inputs.dtype} {tuple(inputs.shape[1:])} each. Choose mlp, or a "
            "network of your own."
        )
    model = Classifier(*mlp_of_rows(inputs[0].numel(), config.width), classes)
    initialise(model)
    return model


def build_model(
    config: ModelConfig, *, channels: int, image_size: int, classes: int, download: bool = True
) -> Classifier:
    """Return the network of ``config``, with new weights drawn from torch's global generator.

    Args:
        config: the name, width, stem and pretrained weights of the network.
        channels: the channels of the images, 1 or 3.
        image_size: the shorter side of the images in pixels, at least SMALLEST_IMAGE. Convolutional
            networks end in a global average and accept images of any size; ``mlp`` and ``vit_tiny``
            resize other images to a square of this side by averaging.
        classes: the number of classes K.
        download: whether ImageNet weights may be downloaded.

    Raises:
        UserError: the images are too small, timm is needed and missing, or the pretrained weights
            are not available or do not fit.
    """
    smallest = SMALLEST_IMAGE[config.name]
    if image_size < smallest:
        raise UserError(
            f"model.name: {config.name} needs images of at least {smallest}x{smallest} "
            f"pixels; these have a side of {image_size}. Enlarge them with data.image_size, or "
            "choose another network."
        )
    further: dict[str, Any] = {"stem": config.stem} if config.name in IMAGENET_NETWORKS else {}
    if config.name in _SIZED:
        further = {"image_size": image_size}
    features, dimension = NETWORKS[config.name](channels, config.width, **further)
    model = Classifier(features, dimension, classes)
    initialise(model)
    load_weights(model.features, config, download=download)
    return model
