"""The state of a search: its best trials as a table, and its progress."""

from __future__ import annotations

import time
from itertools import islice

from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tune_robust.console.plain import PlainConsole
from tune_robust.console.trial_table import STYLES, trial_table
from tune_robust.formatting import visible
from tune_robust.runs.progress import SearchProgress
from tune_robust.runs.trial import Trial

SHOWN = 12
"""The largest number of trials in the table."""
WIDTH_OF_A_FILE = 160


def open_console() -> Console:
    """Return a console as wide as the terminal; without one, wide enough for a table."""
    terminal = PlainConsole()
    return terminal if terminal.is_terminal else PlainConsole(width=WIDTH_OF_A_FILE)


class Clock:
    """The time since the start, and an estimate of the remaining time."""

    def __init__(self, progress: SearchProgress):
        self._progress = progress
        self._began, self._spent_before = time.monotonic(), progress.spent

    def __rich__(self) -> str:
        """Return a text such as ``2:10 elapsed, about 3:20 left``, at the time of the call."""
        elapsed = time.monotonic() - self._began
        left, gained = self._progress.left, self._progress.spent - self._spent_before
        if not left or not gained:
            return f"{_minutes(elapsed)} elapsed"
        return f"{_minutes(elapsed)} elapsed, about {_minutes(left * elapsed / gained)} left"


def overview(progress: SearchProgress, clock: Clock) -> Group:
    """Return the running and the best other trials, the counts, and a progress bar of compute."""
    table = trial_table(_shown(progress), progress.space, progress.best)
    lines = [*_retries(progress), *_gain(progress), _counts(progress)]
    return Group(table, *lines, _bar(progress, clock))


def _retries(progress: SearchProgress) -> list[Text]:
    """Return the latest three remarks on trials, such as the reasons of restarts."""
    retried = [
        (t.name, reason) for t in progress.trials.values() for reason in (*t.retried, *t.notes)
    ]
    return [
        Text(visible(f"{name}: {reason}"), STYLES["interrupted"]) for name, reason in retried[-3:]
    ]


def _gain(progress: SearchProgress) -> list[Text]:
    gain = progress.expected_gain
    return [Text(gain.sentence(), "dim")] if gain is not None else []


def _counts(progress: SearchProgress) -> Text:
    counts = progress.counts
    shown = [
        (f"{counts[status]} {status}  ", STYLES[status]) for status in STYLES if counts[status]
    ]
    return Text.assemble(*shown)


def _bar(progress: SearchProgress, clock: Clock) -> Table:
    spent, left = progress.spent, progress.left
    fraction = 0.0 if left is None else 1.0 if not spent + left else spent / (spent + left)
    row = Table.grid(padding=(0, 2))
    row.add_row(
        ProgressBar(total=1.0, completed=fraction, width=24),
        f"{fraction:.0%}" if left is not None else "",
        f"{spent:.0f} {progress.space.budget.unit.replace('_', ' ')}",
        clock,
    )
    return row


def _shown(progress: SearchProgress) -> list[Trial]:
    running = [t for t in progress.under_way() if t.status == "running"]
    others = (t for t in progress.best_first() if t.status != "running")
    return [*running[:SHOWN], *islice(others, max(0, SHOWN - len(running)))]


def _minutes(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
