"""What a search tells whoever watches it from the process that runs it."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from tune_robust.runs.progress import SearchProgress
from tune_robust.runs.trial import Trial
from tune_robust.tuning.engine.slots import Slots


class Watcher(Protocol):
    """Shows or records the progress of a search."""

    def note(self, text: str) -> None:
        """One step of the preparation begins, or has a result: a sentence to show."""

    def warn(self, text: str) -> None:
        """A sentence that the user should read before the search goes on."""

    def running(
        self, progress: SearchProgress, slots: Slots, dashboard: str | None
    ) -> AbstractContextManager[None]:
        """Trials run while the returned context is open.

        Args:
            progress: a view of the search that is always up to date.
            slots: how many trials run at a time, and what each gets.
            dashboard: the address of Ray's dashboard, if it runs.
        """

    def update(self, trial: Trial) -> None:
        """One trial has started, finished an epoch, or ended."""


class Silent:
    """A watcher that shows nothing; what the user should read becomes a Python warning."""

    def note(self, text: str) -> None:
        """Show nothing."""

    def warn(self, text: str) -> None:
        """Issue a ``UserWarning``."""
        warnings.warn(text, stacklevel=2)

    def running(
        self, progress: SearchProgress, slots: Slots, dashboard: str | None
    ) -> AbstractContextManager[None]:
        """Show nothing."""
        return nullcontext()

    def update(self, trial: Trial) -> None:
        """Show nothing."""
