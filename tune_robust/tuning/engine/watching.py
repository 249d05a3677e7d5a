"""The interface by which a search reports its progress in its own process."""

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
        """Show a sentence on a step of the preparation or on its result."""

    def warn(self, text: str) -> None:
        """Show a sentence that the user should read."""

    def running(
        self, progress: SearchProgress, slots: Slots, dashboard: str | None
    ) -> AbstractContextManager[None]:
        """Return a context in which the trials run.

        Args:
            progress: a view of the search that is always up to date.
            slots: how many trials run at a time, and the resources of each.
            dashboard: the address of Ray's dashboard, if it runs.
        """

    def update(self, trial: Trial) -> None:
        """Handle a trial that has started, finished an epoch, or ended."""


class Silent:
    """A watcher that shows nothing; warnings become Python warnings."""

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
