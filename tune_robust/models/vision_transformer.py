"""A small vision transformer for small images (Dosovitskiy et al. 2021, arXiv 2010.11929)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tune_robust.models.classifier import widened

_DEPTH, _HEADS, _MLP_RATIO = 6, 3, 4
_HEAD_DIMENSION = 64
_TOKENS_A_SIDE = 8
"""The side of a patch is about an eighth of the image's: 4 of 32 pixels."""


def vit_tiny(channels: int, width: float, *, image_size: int) -> tuple[nn.Module, int]:
    """Return six pre-norm blocks of three heads, 192 channels times ``width``, and a class token.

    Patches have 4x4 pixels on 32x32 images, and the same proportion on others. Images are square
    with a side of ``image_size``; others are first resized to it by averaging.
    """
    dimension = _HEADS * widened(_HEAD_DIMENSION, width)
    return _VisionTransformer(channels, dimension, image_size), dimension


class _VisionTransformer(nn.Module):
    """Map images (B, C, H, W) to the normalised class token (B, D)."""

    def __init__(self, channels: int, dimension: int, image_size: int):
        super().__init__()
        patch = max(1, image_size // _TOKENS_A_SIDE)
        tokens = (image_size // patch) ** 2
        self.resize = nn.AdaptiveAvgPool2d(image_size)  # leaves square images unchanged
        self.patches = nn.Conv2d(channels, dimension, patch, stride=patch, bias=False)
        self.class_token = nn.Parameter(torch.zeros(1, 1, dimension))
        self.positions = nn.Parameter(_small_normal(1, tokens + 1, dimension))
        self.blocks = nn.Sequential(*(_Block(dimension) for _ in range(_DEPTH)))
        self.norm = nn.LayerNorm(dimension)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(self.resize(images)).flatten(2).transpose(1, 2)
        token = self.class_token.expand(len(tokens), -1, -1)
        tokens = torch.cat([token, tokens], 1) + self.positions
        features: Tensor = self.norm(self.blocks(tokens)[:, 0])
        return features


class _Block(nn.Module):
    """Apply attention over the tokens and then a perceptron to each; both are residual."""

    def __init__(self, dimension: int):
        super().__init__()
        self.first_norm, self.second_norm = nn.LayerNorm(dimension), nn.LayerNorm(dimension)
        self.queries_keys_values = nn.Linear(dimension, 3 * dimension)
        self.joined = nn.Linear(dimension, dimension)
        self.perceptron = nn.Sequential(
            nn.Linear(dimension, _MLP_RATIO * dimension),
            nn.GELU(),
            nn.Linear(_MLP_RATIO * dimension, dimension),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self._attended(self.first_norm(tokens))
        return tokens + self.perceptron(self.second_norm(tokens))

    def _attended(self, tokens: Tensor) -> Tensor:
        batch, count, dimension = tokens.shape
        split = self.queries_keys_values(tokens).view(batch, count, 3, _HEADS, -1)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(queries, keys, values)
        return self.joined(mixed.transpose(1, 2).reshape(batch, count, dimension))


def _small_normal(*shape: int) -> Tensor:
    return torch.randn(shape) * 0.02
