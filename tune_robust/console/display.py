"""Show a search in its own process: as a live table, or as one line per ended trial."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live

from tune_robust.console.notebook import NotebookOutput
from tune_robust.console.overview import Clock, overview
from tune_robust.console.trial_table import trial_line
from tune_robust.formatting import count
from tune_robust.runs.progress import SearchProgress
from tune_robust.runs.trial import Trial
from tune_robust.tuning.engine.slots import Slots

_EVERY = 0.5  # seconds between two updates


class Display:
    """A watcher that shows the search on ``console``: live in a terminal or a notebook.

    In other outputs, such as a file, it prints one line for each trial that has ended.
    """

    def __init__(self, console: Console):
        self._console = console
        self._progress: SearchProgress | None = None
        self._live: Live | NotebookOutput | None = None
        self._drawn = 0.0

    def note(self, text: str) -> None:
        """Print a sentence."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a sentence in yellow."""
        self._console.print(text, style="yellow", highlight=False, soft_wrap=True)

    @contextmanager
    def running(
        self, progress: SearchProgress, slots: Slots, dashboard: str | None
    ) -> Iterator[None]:
        """Show the search for as long as the context is open."""
        self._progress, self._clock = progress, Clock(progress)
        self.note(
            f"{count(progress.remaining, 'trial')} to run, {slots.describe()}. "
            f"{_stopper()} stops the search cleanly."
            + (f" Dashboard: {dashboard}" if dashboard else "")
        )
        live = self._new_live()
        if live is None:
            yield
            return
        with live as self._live:
            yield
            self._live.update(self._drawing())

    def update(self, trial: Trial) -> None:
        """One trial has started, finished an epoch, or ended."""
        if self._progress is None:
            return
        if self._live is None:
            if trial.status != "running":
                self.note(trial_line(trial, self._progress))
        elif time.monotonic() - self._drawn >= _EVERY:
            self._live.update(self._drawing())

    def _new_live(self) -> Live | NotebookOutput | None:
        if self._console.is_jupyter:
            return NotebookOutput(self._drawing())
        if self._console.is_terminal:
            return Live(self._drawing(), console=self._console, refresh_per_second=2)
        return None

    def _drawing(self) -> RenderableType:
        self._drawn = time.monotonic()
        return "" if self._progress is None else overview(self._progress, self._clock)


def _stopper() -> str:
    """Return how to stop this search; in a Ray job, Ctrl-C only stops printing its output."""
    job = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}"))
    submitted = job.get("metadata", {}).get("job_submission_id")
    return f"`ray job stop {submitted}`" if submitted else "Ctrl-C"
