"""Wide residual networks (Zagoruyko & Komodakis 2016, arXiv 1605.07146), without dropout."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from tune_robust.models.classifier import convolution, widened


def wrn28_10(channels: int, width: float) -> tuple[nn.Module, int]:
    """Return WRN-28-10: 36,479,194 parameters for 3 channels and 10 classes (paper: 36.5 M)."""
    return _wide_resnet(channels, width, blocks=4, factor=10)


def wrn40_2(channels: int, width: float) -> tuple[nn.Module, int]:
    """Return WRN-40-2: 2,243,546 parameters for 3 channels and 10 classes (paper: 2.2 M)."""
    return _wide_resnet(channels, width, blocks=6, factor=2)


class PreActivation(nn.Module):
    """Normalise, activate, convolve, twice, and add a shortcut (He et al. 2016, 1603.05027).

    Where the shape changes, the shortcut is a 1x1 convolution of the activated input.
    """

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = convolution(inputs, outputs, stride=stride)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = convolution(outputs, outputs)
        same = inputs == outputs and stride == 1
        self.shortcut = None if same else convolution(inputs, outputs, stride=stride, size=1)

    def forward(self, images: Tensor) -> Tensor:
        active = F.relu(self.bn1(images))
        inner = self.conv2(F.relu(self.bn2(self.conv1(active))))
        return inner + (images if self.shortcut is None else self.shortcut(active))


def _wide_resnet(channels: int, width: float, *, blocks: int, factor: int) -> tuple[nn.Module, int]:
    """Return a stem of 16 channels, then 16, 32 and 64 times ``factor``, all times ``width``."""
    inputs = widened(16, width)
    layers: list[nn.Module] = [convolution(channels, inputs)]
    for stage, base in enumerate((16, 32, 64)):
        outputs = widened(base * factor, width)
        for block in range(blocks):
            layers.append(PreActivation(inputs, outputs, 2 if stage > 0 and block == 0 else 1))
            inputs = outputs
    layers += [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), inputs
