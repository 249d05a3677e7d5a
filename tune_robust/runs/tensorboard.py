"""A run as TensorBoard logs: a folder per trial, its metrics against gradient evaluations."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams

from tune_robust.metrics import HPARAMS
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.trial import ENDED, Trial


class TensorBoard:
    """A watcher that writes ``<run>/tensorboard``.

    Like the tables, it is derived from the run: opening writes everything recorded so far.
    """

    def __init__(self, folder: RunFolder):
        self._path = folder.tensorboard
        self._writers: dict[str, SummaryWriter] = {}
        self._written: dict[str, int] = {}

    def open(self, trials: Iterable[Trial]) -> None:
        """Write all epochs that the run has so far."""
        shutil.rmtree(self._path, ignore_errors=True)
        for trial in trials:
            self.update(trial)

    def update(self, trial: Trial) -> None:
        """Write a trial's new epochs, and its settings once it is over."""
        new = [epoch for epoch in sorted(trial.epochs) if epoch > self._written.get(trial.name, 0)]
        for epoch in new:
            self._write(trial.name, trial.epochs[epoch])
            self._written[trial.name] = epoch
        if trial.status in ENDED:
            self._end(trial)

    def close(self) -> None:
        """Write out what is buffered."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _write(self, name: str, metrics: Mapping[str, float | None]) -> None:
        step = round(metrics["gradient_evaluations"] or 0)
        for metric, value in metrics.items():
            if value is not None and math.isfinite(value):
                self._writer(name).add_scalar(metric, value, step)
        self._writer(name).flush()

    def _end(self, trial: Trial) -> None:
        """Write the settings of a trial for the HPARAMS tab, which compares trials."""
        writer = self._writer(trial.name)
        settings = {path: _plain(value) for path, value in trial.values.items()}
        for part in hparams(settings, dict.fromkeys(HPARAMS)):
            writer.file_writer.add_summary(part)
        self._writers.pop(trial.name).close()

    def _writer(self, name: str) -> Any:
        if name not in self._writers:
            self._writers[name] = SummaryWriter(str(self._path / name))
        return self._writers[name]


def _plain(value: Any) -> bool | str | float:
    """Return a value that the tab accepts; lists and mappings become JSON."""
    return value if isinstance(value, bool | str | int | float) else json.dumps(value)
