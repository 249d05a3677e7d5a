"""Trials as runs of Weights & Biases: https://docs.wandb.ai."""

from __future__ import annotations

import os
import uuid

import wandb

from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.trial import Trial
from tune_robust.tracking.tracker import numbers

PROJECT = "tune-robust"
_SECONDS = 30
"""How long one run may take to begin, and to upload its rest at its end."""
_KILLED = 255
"""The exit code by which Weights & Biases shows a run as killed."""


class WandbRuns:
    """A ``Tracker``. W&B's own environment variables apply: WANDB_PROJECT, WANDB_MODE, ...

    Its files are in ``<run>/wandb``. Without a connection (``WANDB_MODE=offline``), each process
    that runs the search writes its trials there completely, for ``wandb sync``.
    """

    title = "Weights & Biases"

    def __init__(self, group: str, folder: RunFolder):
        self._group, self._folder = group, folder.path
        self._project = os.environ.get("WANDB_PROJECT", PROJECT)
        self._runs: dict[str, wandb.Run] = {}
        self.place = f"project {self._project!r}, group {group!r}"
        if wandb.setup().settings.mode == "offline":
            self.place += f", offline; upload it with `wandb sync {self._folder}/wandb/offline-*`"

    def start(self, trial: Trial, known: str | None) -> tuple[str, int]:
        """See ``Tracker.start``."""
        run = wandb.init(
            project=self._project,
            group=self._group,
            job_type=trial.origin,
            name=trial.name,
            id=known or uuid.uuid4().hex[:16],
            config={**trial.config, "trial": trial.name, "searched": trial.values},
            dir=self._folder,
            resume="allow" if wandb.setup().settings.mode == "online" else None,
            reinit="create_new",
            settings=_settings(),
        )
        run.define_metric("*", step_metric="gradient_evaluations")
        self._runs[trial.name] = run
        # A resumed run begins one step after its last.
        return run.id, max(0, run.step - 1)

    def log(self, trial: Trial, epoch: int) -> None:
        """See ``Tracker.log``."""
        metrics = numbers(trial.epochs[epoch])
        self._runs[trial.name].log({**metrics, "epoch": epoch}, step=epoch)

    def end(self, trial: Trial) -> None:
        """See ``Tracker.end``."""
        run = self._runs.pop(trial.name)
        run.summary["status"] = trial.status
        if trial.error:
            run.summary["error"] = trial.error
        run.finish(exit_code=int(trial.status == "failed"))

    def close(self) -> None:
        """See ``Tracker.close``."""
        for run in self._runs.values():
            run.finish(exit_code=_KILLED)
        self._runs.clear()


def check_login() -> None:
    """Check that W&B has an API key, unless it is offline.

    Raises:
        UserError: it has none.
    """
    # Not wandb.init: it would ask for a key, in the midst of a search.
    if wandb.setup().settings.mode == "online" and not wandb.login(prompt=False):
        raise UserError(
            "--wandb: Weights & Biases has no API key. Log in with `wandb login`, set "
            "WANDB_API_KEY, or log to files with WANDB_MODE=offline."
        )


def _settings() -> wandb.Settings:
    """Log the metrics alone: not what the command prints, and nothing on the machine or code."""
    return wandb.Settings(
        console="off",
        silent=True,
        save_code=False,
        disable_git=True,
        x_save_requirements=False,
        x_disable_stats=True,
        x_disable_meta=True,
        init_timeout=_SECONDS,
        finish_timeout=_SECONDS,
    )
