"""What wrong labels do to the scores: how high a perfect model would get on noisy validation."""

from __future__ import annotations

from analysis.stored.run import Run


def noise_rate(run: Run) -> float | None:
    """The measured share of wrong labels in the training set; None where nobody knows it."""
    return _wrong_labels(run, "train")


def ceiling(run: Run) -> float | None:
    """About what a perfect model scores on the objective; None where noise does not lower it."""
    wrong = _wrong_labels(run, "validation")
    return 1 - wrong if wrong and run.objective.metric == "val_accuracy" else None


def _wrong_labels(run: Run, part: str) -> float | None:
    return run.meta.get("wrong_labels", {}).get(part)
