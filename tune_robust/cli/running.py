"""Common parts of the commands that run trials: progress and exit codes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from tune_robust.formatting import visible
from tune_robust.runs.naming import run_argument

if TYPE_CHECKING:
    from rich.console import Console

EXITS_INTERRUPTED = 130


def console_of(*, as_json: bool) -> Console:
    """Return the console for progress and results; with JSON, it writes to standard error."""
    from tune_robust.console.overview import open_console
    from tune_robust.console.plain import PlainConsole

    return PlainConsole(stderr=True) if as_json else open_console()


@contextmanager
def exits_when_interrupted(again: str | None = None) -> Iterator[None]:
    """If the search inside is interrupted, print how to continue it and exit with 130.

    ``again`` is the command that continues; by default, ``resume`` of the run.
    """
    from tune_robust.tuning.engine.searching import Interrupted

    try:
        yield
    except Interrupted as stopped:
        # Everything is stored; another Ctrl-C would only disturb the exit of the process.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        command = again or f"tune-robust resume {run_argument(stopped.run)}"
        told = (
            f"\nInterrupted: {stopped.ended} of {stopped.total} trials have ended, and nothing is "
            f"lost. Continue with:\n  {command}"
        )
        print(visible(told), file=sys.stderr)
        raise typer.Exit(EXITS_INTERRUPTED) from None
