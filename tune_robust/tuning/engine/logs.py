"""Where a search logs its trials beside the run's folder: TensorBoard, W&B and MLflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tune_robust.errors import UserError
from tune_robust.runs.store import RunStore
from tune_robust.runs.trial import Trial
from tune_robust.tracking.background import Tracking
from tune_robust.tracking.tracker import TRACKERS, check_tracker, open_tracker
from tune_robust.tuning.engine.watching import Watcher


class Log(Protocol):
    """Is told of every trial, and closed at the end."""

    def update(self, trial: Trial) -> None:
        """Log a trial that has started, finished an epoch, or ended."""

    def close(self) -> None:
        """Write what is left."""


@dataclass(frozen=True)
class Logs:
    """Which logs a command has asked for; those that a run has already are continued.

    Raises:
        UserError: the library of a tracker is missing, or it is not logged in.
    """

    tensorboard: bool = False
    wandb: bool = False
    mlflow: bool = False

    def __post_init__(self) -> None:
        for name in TRACKERS:
            if getattr(self, name):
                check_tracker(name)

    def open(self, store: RunStore, watcher: Watcher) -> list[Log]:
        """Open the logs with everything that the run has so far."""
        folder = store.folder
        found: list[Log] = []
        if self.tensorboard or folder.tensorboard.exists():
            # Slow to import, and seldom needed.
            from tune_robust.runs.tensorboard import TensorBoard

            found.append(board := TensorBoard(folder))
            board.open(store.trials.values())
        for name in TRACKERS:
            if getattr(self, name) or folder.tracking(name).exists():
                found += _tracking(name, store, watcher)
        return found


def _tracking(name: str, store: RunStore, watcher: Watcher) -> list[Log]:
    """Return an open tracker; none, and a warning, if it cannot be used on this machine."""
    try:
        check_tracker(name)
        tracker = open_tracker(name, store.folder)
    except Exception as error:
        told = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        watcher.warn(f"The trials are not logged: {told}")
        return []
    watcher.note(f"Logging to {tracker.title}: {tracker.place}.")
    tracking = Tracking(tracker, store.folder.tracking(name), watcher.warn)
    tracking.open(store.trials.values())
    return [tracking]
