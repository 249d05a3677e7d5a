"""The names of what a training run reports each epoch: the contract of the tables.

Diagnostic metrics need the true labels or the test set. Nothing that chooses (objective, scheduler,
sampler, best checkpoint) may read them.
"""

from __future__ import annotations

DIAGNOSTIC = frozenset(
    {
        "val_accuracy_clean",
        "test_accuracy",
        "test_ece",
        "clean_fit",
        "noisy_fit",
        "fit_gap",
        "generalization_gap",
        "law_weight_clean",
        "law_weight_noisy",
        "p_r_a",
        "p_r_b",
        "p_r_c",
    }
)

METRICS = (
    "train_loss",
    "val_accuracy",
    "val_loss",
    "val_accuracy_clean",
    "test_accuracy",
    "test_ece",
    "clean_fit",
    "noisy_fit",
    "fit_gap",
    "generalization_gap",
    "group_a",
    "group_b",
    "group_c",
    "p_r_a",
    "p_r_b",
    "p_r_c",
    "grad_norm",
    "sharpness",
    "sals_epsilon",
    "law_weight_clean",
    "law_weight_noisy",
    "rho",
    "alpha",
    "lr",
    "skipped_steps",
    "gradient_evaluations",
    "seconds",
    "images_per_second",
    "peak_memory_mb",
)

OBJECTIVES = {"val_accuracy": "max", "val_loss": "min", "train_loss": "min"}
"""What a search may optimise, and in which direction."""

AGAINST = {
    **OBJECTIVES,
    "gradient_evaluations": "min",
    "seconds": "min",
    "sharpness": "min",
    "grad_norm": "min",
    "peak_memory_mb": "min",
    "images_per_second": "max",
}
"""What a search may weigh its objective against, and in which direction."""
