"""The argument ``progress`` of a search: ``True``, ``False``, or a watcher."""

from __future__ import annotations

from typing import TypeAlias

from tune_robust.tuning.engine.watching import Silent, Watcher

ProgressLike: TypeAlias = bool | Watcher
"""True shows the progress in a terminal or notebook, False shows nothing; or a watcher."""


def watcher_of(progress: ProgressLike) -> Watcher:
    """Return the watcher for ``progress``."""
    if not isinstance(progress, bool):
        return progress
    if not progress:
        return Silent()
    from tune_robust.console.display import Display
    from tune_robust.console.plain import PlainConsole

    return Display(PlainConsole(stderr=True))
