"""Classify lines of a Python file as code or prose, with token ids and a small transformer.

    cd examples/text && tune-robust search --space text.yaml

The lines are those of NumPy, which tune-robust requires, so that nothing is downloaded.
"""

import ast
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import nn

LENGTH = 48
"""The length of a line in tokens: one per character, its ASCII code, padded with 0."""


def load(lines=800):
    """Return ``lines`` lines of each class as token ids, int64 (N, 48), and their classes (N,)."""
    rng = np.random.default_rng(0)
    code, prose = set(), set()
    for file in sorted(Path(find_spec("numpy").origin).parent.glob("*/*.py")):
        text = file.read_text(encoding="utf-8")
        told = {line.strip() for line in _docstrings(text)}
        prose |= told
        code |= {line.strip() for line in text.splitlines()} - told
    tokens, labels = [], []
    for label, found in enumerate((code, prose)):
        long = sorted(line for line in found if len(line) > 20 and line.isascii())
        for line in rng.permutation(long)[:lines]:
            codes = [ord(character) for character in line[:LENGTH]]
            tokens.append(codes + [0] * (LENGTH - len(codes)))
            labels.append(label)
    return {"inputs": np.array(tokens), "labels": np.array(labels), "classes": ["code", "prose"]}


def _docstrings(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            yield from (ast.get_docstring(node) or "").splitlines()


class Transformer(nn.Module):
    """Embed tokens and positions, apply attention layers, and classify the mean of the output."""

    def __init__(self, classes, dimension=32, heads=4, layers=1):
        super().__init__()
        self.tokens = nn.Embedding(128, dimension)
        self.positions = nn.Parameter(torch.randn(LENGTH, dimension) * 0.02)
        layer = nn.TransformerEncoderLayer(
            dimension, heads, 2 * dimension, dropout=0.0, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.classifier = nn.Linear(dimension, classes)

    def forward(self, tokens):
        """Return the logits (B, K) of token ids (B, 48)."""
        return self.classifier(self.encoder(self.tokens(tokens) + self.positions).mean(1))
