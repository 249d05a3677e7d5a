"""Following a search from another process, by what it writes into its run's folder."""

from __future__ import annotations

import time

from rich.console import Console
from rich.live import Live

from tune_robust.cli.overview import Clock, overview, trial_line
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.progress import SearchProgress
from tune_robust.runs.reader import RunReader
from tune_robust.runs.trial import ENDED
from tune_robust.spaces.space import Space

_EVERY = 1.0  # seconds between two looks


def follow(console: Console, space: Space, folder: RunFolder) -> None:
    """Show the run until its search ends or is interrupted; Ctrl-C stops the following alone."""
    reader = RunReader(folder)
    live = reader.read()
    standing = SearchProgress(space, reader.record.trials)
    try:
        if console.is_terminal:
            _draw(console, reader, standing, live)
        else:
            _print_ends(console, reader, standing, live)
    except KeyboardInterrupt:
        console.print("Stopped following; the search goes on.")


def _draw(console: Console, reader: RunReader, standing: SearchProgress, live: bool) -> None:
    clock = Clock(standing)
    with Live(
        overview(standing, clock), console=console, refresh_per_second=2, transient=True
    ) as display:
        while live:
            time.sleep(_EVERY)
            live = reader.read()
            display.update(overview(standing, clock))


def _print_ends(console: Console, reader: RunReader, standing: SearchProgress, live: bool) -> None:
    told = _ended(standing)
    while live:
        time.sleep(_EVERY)
        live = reader.read()
        for name in sorted(_ended(standing) - told):
            line = trial_line(standing.trials[name], standing)
            console.print(line, highlight=False, soft_wrap=True)
        told = _ended(standing)


def _ended(standing: SearchProgress) -> set[str]:
    return {name for name, trial in standing.trials.items() if trial.status in ENDED}
