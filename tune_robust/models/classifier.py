"""The common structure of all networks: features followed by one linear layer."""

from __future__ import annotations

from torch import Tensor, nn


class Classifier(nn.Module):
    """Compute ``head(features(x))``: images (B, C, H, W) -> features (B, D) -> logits (B, K)."""

    def __init__(self, features: nn.Module, dimension: int, classes: int):
        super().__init__()
        self.features = features
        self.head = nn.Linear(dimension, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


def initialise(model: nn.Module) -> None:
    """Initialise convolutions by He's normal distribution, fan out (arXiv 1502.01852, sec. 2.2).

    Normalisation layers start as the identity; the linear layer keeps PyTorch's initialisation.
    """
    for module in model.modules():
        # On the meta device nothing is drawn, but torch would import its compiler for it.
        if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def convolution(inputs: int, outputs: int, *, stride: int = 1, size: int = 3) -> nn.Conv2d:
    """Return a convolution without bias that keeps the size of the image, except for its stride."""
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)


def widened(channels: int, width: float) -> int:
    """Return a number of channels multiplied by ``width``, at least 1."""
    return max(1, round(channels * width))
