"""What every experiment tracker does with a trial, and which there are."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from typing import Protocol

from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.meta import retrained_run
from tune_robust.runs.trial import Trial

TRACKERS = ("wandb", "mlflow")
"""The trackers by the names of their options, which are also those of their libraries."""


class Tracker(Protocol):
    """Logs each trial as a run; called from one thread, whatever it raises ends the logging.

    Attributes:
        title: the tracker's name in sentences.
        place: a clause on where the runs are logged.
    """

    title: str
    place: str

    def start(self, trial: Trial, known: str | None) -> tuple[str, int]:
        """Begin the run of a trial, or continue the run ``known``.

        Returns:
            The tracker's identifier of the run, and the last epoch that it has (0 for none).
        """

    def log(self, trial: Trial, epoch: int) -> None:
        """Log the metrics of an epoch."""

    def end(self, trial: Trial) -> None:
        """Log how the trial has ended."""

    def close(self) -> None:
        """Mark the runs of the trials that have not ended as interrupted."""


def check_tracker(name: str) -> None:
    """Check that a tracker can be used, before a search starts.

    Raises:
        UserError: its library is not installed, or it is not logged in.
    """
    try:
        # A folder that the library has written, such as ./wandb, is importable too, without a file.
        if importlib.import_module(name).__file__ is None:
            raise ImportError(f"No module named {name!r}")
    except ImportError as error:
        raise UserError(
            f"--{name} needs a library that is not installed ({error}). Install it: "
            f'pip install "tune-robust[{name}]"'
        ) from error
    if name == "wandb":
        from tune_robust.tracking.wandb_runs import check_login

        check_login()


def open_tracker(name: str, folder: RunFolder) -> Tracker:
    """Return the tracker ``name`` for the trials of a run."""
    if name == "wandb":
        from tune_robust.tracking.wandb_runs import WandbRuns

        return WandbRuns(group_of(folder), folder)
    from tune_robust.tracking.mlflow_runs import MlflowRuns

    return MlflowRuns(group_of(folder))


def group_of(folder: RunFolder) -> str:
    """Return the name by which the trials of a run are grouped: that of the run."""
    source = retrained_run(folder.read_meta())
    return folder.path.name if source is None else f"{source}/{folder.path.name}"


def numbers(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """Return the metrics that are finite numbers."""
    return {k: v for k, v in metrics.items() if v is not None and math.isfinite(v)}
