"""Steps of a preset on the awkward network: its optimizer, its loss and its kind of labels."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tests.methods.networks import awkward, groups
from tune_robust.config import PRESETS, TrainConfig
from tune_robust.methods import BatchLoss, sample_loss, sharpness_aware

TWO_PASSES = [name for name in PRESETS if TrainConfig(method=name).sam]
SANER = [name for name in PRESETS if TrainConfig(method=name).saner]


def batch_loss_of(config):
    return BatchLoss(
        sals=config.sals,
        law=config.law,
        label_smoothing=config.label_smoothing,
        loss=sample_loss(config.loss),
    )


class Recipe:
    """``optimizer`` replaces the preset's own; ``forward`` gives logits and features."""

    def __init__(self, method, *, optimizer=None, forward=None, dtype=torch.float64, **changes):
        self.config = TrainConfig(method=method, **changes)
        self.model = awkward(dtype=dtype)
        self.batch_loss = batch_loss_of(self.config)
        base = torch.optim.SGD(groups(self.model), lr=0.1)
        self.optimizer = optimizer or sharpness_aware(
            base, sam=self.config.sam, saner=self.config.saner, model=self.model
        )
        self.forward = forward or self._forward

    def _forward(self, x):
        features = self.model.features(x)
        return self.model.head(features), features

    def step(self, x, y, after_backward=lambda: None):
        loss = self.optimizer.step(self.closure(x, y, after_backward))
        self.batch_loss.gradient_norm = self.optimizer.gradient_norm
        return loss

    def closure(self, x, y, after_backward=lambda: None):
        plan = None
        if self.config.mixup:
            hot = F.one_hot(y, 3).to(x.dtype)
            y = 0.7 * hot + 0.3 * hot.roll(1, 0)

        def closure():
            nonlocal plan
            self.model.zero_grad()
            logits, features = self.forward(x)
            loss, plan = self.batch_loss(logits, features, y, plan)
            loss.backward()
            after_backward()
            return loss

        return closure

    def state(self):
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "objective": self.batch_loss.state_dict(),
        }

    def load(self, state):
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.batch_loss.load_state_dict(state["objective"])
