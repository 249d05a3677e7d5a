"""Perturbations, reweighting, losses and schedules: pure functions with thin classes around them.

``SharpnessAware`` can be used alone in any training loop; the other modules are its building
blocks.
"""

from tune_robust.methods.averaging import WeightAverage
from tune_robust.methods.batch_loss import BatchLoss, Plan
from tune_robust.methods.losses import LOSSES, sample_loss
from tune_robust.methods.mixing import mixed, mixed_batches, mixing_coefficients
from tune_robust.methods.optimizers import build_optimizer
from tune_robust.methods.perturbation import global_norm, moved_weights, weights_at
from tune_robust.methods.reweighting import GroupRule, group_fitting, group_fractions, reweight_
from tune_robust.methods.schedules import lr_factor, saner_alpha, scheduled, swa_lr_factor
from tune_robust.methods.sharpness_aware import SharpnessAware, sharpness_aware
from tune_robust.methods.smoothing import last_layer_gradient_norm, smoothed_targets, smoothing
from tune_robust.methods.weighting import sample_weights

__all__ = [
    "LOSSES",
    "BatchLoss",
    "GroupRule",
    "Plan",
    "SharpnessAware",
    "WeightAverage",
    "build_optimizer",
    "global_norm",
    "group_fitting",
    "group_fractions",
    "last_layer_gradient_norm",
    "lr_factor",
    "mixed",
    "mixed_batches",
    "mixing_coefficients",
    "moved_weights",
    "reweight_",
    "sample_loss",
    "sample_weights",
    "saner_alpha",
    "scheduled",
    "sharpness_aware",
    "smoothed_targets",
    "smoothing",
    "swa_lr_factor",
    "weights_at",
]
