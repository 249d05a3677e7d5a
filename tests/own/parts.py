"""Modules of own parts in a folder, and a configuration that names them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

NETS = """
    from torch import nn

    from my_blocks import block


    class Tiny(nn.Module):
        def __init__(self, classes, channels, depth=2, width=8):
            super().__init__()
            sizes = [channels] + [width] * depth
            self.blocks = nn.Sequential(*(block(a, b) for a, b in zip(sizes, sizes[1:])))
            self.classifier = nn.Linear(width, classes)

        def forward(self, images):
            return self.classifier(self.blocks(images).mean((2, 3)))
"""
BLOCKS = """
    from torch import nn


    def block(inputs, outputs):
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU())
"""
LOSSES = """
    import torch.nn.functional as F


    def focal(logits, targets, gamma=2.0):
        log_p = F.log_softmax(logits, 1)
        return -(targets * (1 - log_p.exp()) ** gamma * log_p).sum(1)
"""
DATA = """
    import numpy as np


    def load(n=96, classes=4):
        rng = np.random.default_rng(0)
        patterns = rng.integers(0, 256, (classes, 1, 8, 8))
        labels = np.arange(n) % classes
        noise = rng.integers(-40, 40, (n, 1, 8, 8))
        images = (patterns[labels] + noise).clip(0, 255).astype(np.uint8)
        return {"inputs": images, "labels": labels, "classes": list("abcd")[:classes]}


    def flip(images):
        return images.flip(-1)
"""
MODULES = {"my_nets": NETS, "my_blocks": BLOCKS, "my_losses": LOSSES, "my_data": DATA}

CONFIG = {
    "data": {"dataset": "my_data:load", "augment": "my_data:flip"},
    "model": {"name": "my_nets:Tiny", "depth": 2},
    "loss": {"name": "my_losses:focal", "gamma": 1.0},
    "optimizer": {"name": "torch.optim:RAdam", "lr": 0.01},
    "batch_size": 16,
    "threads": 1,
}


def write_modules(folder: Path, **modules: str) -> Path:
    """Write the modules, ``modules`` in the place of those of their names, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {**MODULES, **modules}.items():
        (folder / f"{name}.py").write_text(dedent(text).lstrip())
    return folder
