"""Follow a search from another process by the events that it writes."""

from __future__ import annotations

import time

from rich.console import Console
from rich.live import Live

from tune_robust.console.overview import Clock, overview
from tune_robust.console.trial_table import trial_line
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.progress import SearchProgress
from tune_robust.runs.reader import RunReader
from tune_robust.runs.trial import ENDED
from tune_robust.spaces.space import Space

_EVERY = 1.0  # seconds between two updates


def follow(console: Console, space: Space, folder: RunFolder) -> None:
    """Show the run until its search ends or is interrupted; Ctrl-C only stops following."""
    reader = RunReader(folder)
    live = reader.read()
    progress = SearchProgress(space, reader.record.trials)
    try:
        if console.is_terminal:
            _draw(console, reader, progress, live)
        else:
            _print_ends(console, reader, progress, live)
    except KeyboardInterrupt:
        console.print("No longer following; the search continues.")


def _draw(console: Console, reader: RunReader, progress: SearchProgress, live: bool) -> None:
    clock = Clock(progress)
    with Live(
        overview(progress, clock), console=console, refresh_per_second=2, transient=True
    ) as display:
        while live:
            time.sleep(_EVERY)
            live = reader.read()
            display.update(overview(progress, clock))


def _print_ends(console: Console, reader: RunReader, progress: SearchProgress, live: bool) -> None:
    shown = _ended(progress)
    while live:
        time.sleep(_EVERY)
        live = reader.read()
        for name in sorted(_ended(progress) - shown):
            line = trial_line(progress.trials[name], progress)
            console.print(line, highlight=False, soft_wrap=True)
        shown = _ended(progress)


def _ended(progress: SearchProgress) -> set[str]:
    return {name for name, trial in progress.trials.items() if trial.status in ENDED}
