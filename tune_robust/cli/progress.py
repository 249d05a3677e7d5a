"""Following a search from the process that runs it: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live

from tune_robust.cli.overview import Clock, overview, trial_line
from tune_robust.runs.progress import SearchProgress
from tune_robust.runs.trial import Trial
from tune_robust.tuning.engine.slots import Slots

_EVERY = 0.5  # seconds between two drawings


class Progress:
    """A watcher for the conductor, and a display while it runs."""

    def __init__(self, console: Console):
        self._console = console
        self._standing: SearchProgress | None = None
        self._live: Live | None = None
        self._drawn = 0.0

    @contextmanager
    def running(self, standing: SearchProgress, slots: Slots, url: str | None) -> Iterator[None]:
        """Show the search for as long as it runs."""
        self._standing, self._clock = standing, Clock(standing)
        self._console.print(
            f"{standing.remaining} trials to run, {slots.describe()}. "
            f"{_stopper()} stops cleanly." + (f" Dashboard: {url}" if url else ""),
            highlight=False,
            soft_wrap=True,
        )
        if not self._console.is_terminal:
            yield
            return
        with Live(self._drawing(), console=self._console, refresh_per_second=2) as self._live:
            yield
            self._live.update(self._drawing())

    def update(self, trial: Trial) -> None:
        """One trial has started, finished an epoch, or ended."""
        if self._standing is None:
            return
        if self._live is None:
            if trial.status != "running":
                self._console.print(
                    trial_line(trial, self._standing), highlight=False, soft_wrap=True
                )
        elif time.monotonic() - self._drawn >= _EVERY:
            self._live.update(self._drawing())

    def _drawing(self):
        self._drawn = time.monotonic()
        return overview(self._standing, self._clock)


def _stopper() -> str:
    """What ends this command: in a Ray job, Ctrl-C ends only the showing of its output."""
    job = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}"))
    submitted = job.get("metadata", {}).get("job_submission_id")
    return f"`ray job stop {submitted}`" if submitted else "Ctrl-C"
