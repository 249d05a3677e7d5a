"""Trials as Ray metrics: gauges on the Prometheus port of Ray's node."""

from __future__ import annotations

import math
from collections.abc import Callable

from ray.util.metrics import Gauge

from tune_robust.metrics import GAUGES
from tune_robust.runs.progress import SearchProgress
from tune_robust.runs.trial import ENDED, Trial


class RayMetrics:
    """A watcher that publishes trials as gauges; Ray must be running.

    ``ray_tune_robust_best`` is the objective of the best trial, and ``ray_tune_robust_trials``
    counts trials by status. A gauge keeps the last value of a trial that has ended.
    """

    def __init__(self, run: str, progress: Callable[[], SearchProgress]):
        self._run, self._progress = run, progress
        self._gauges = {
            name: Gauge(f"tune_robust_{name}", f"{name} of a trial", tag_keys=("run", "trial"))
            for name in GAUGES
        }
        self._best = Gauge("tune_robust_best", "objective of the best trial", tag_keys=("run",))
        self._trials = Gauge("tune_robust_trials", "trials by status", tag_keys=("run", "status"))

    def update(self, trial: Trial) -> None:
        """Publish a trial's last epoch and the progress of the search."""
        for name, gauge in self._gauges.items():
            value = trial.last.get(name)
            if value is not None and math.isfinite(value):
                gauge.set(value, {"run": self._run, "trial": trial.name})
        if trial.status in ENDED or not trial.epochs:
            self._publish_progress()

    def _publish_progress(self) -> None:
        progress = self._progress()
        for status, count in progress.counts.items():
            self._trials.set(count, {"run": self._run, "status": status})
        if (best := progress.best) is not None:
            self._best.set(progress.objective.value(best.epochs), {"run": self._run})
