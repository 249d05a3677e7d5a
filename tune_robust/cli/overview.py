"""How a search looks at one moment: its leading trials as a table, and how far it has come."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from itertools import islice

from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tune_robust.runs.progress import SearchProgress
from tune_robust.runs.trial import Trial
from tune_robust.spaces.space import Space

SHOWN = 12
COLUMNS = 4
"""Settings that a table has a column for each; more are folded into one."""
WIDTH_OF_A_FILE = 160
STYLES = {
    "running": "cyan",
    "done": "green",
    "stopped": "dim",
    "failed": "red",
    "interrupted": "yellow",
    "pending": "dim",
}


def open_console() -> Console:
    """Standard output, as wide as the terminal; wide enough for a table where there is none."""
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=WIDTH_OF_A_FILE)


class Clock:
    """How long this has been watched, and how long the rest will take at the pace seen since."""

    def __init__(self, standing: SearchProgress):
        self._standing = standing
        self._began, self._spent_before = time.monotonic(), standing.spent

    def __rich__(self) -> str:
        """``2:10 elapsed, about 3:20 left``, as of the moment it is drawn."""
        elapsed = time.monotonic() - self._began
        left, gained = self._standing.left, self._standing.spent - self._spent_before
        if not left or not gained:
            return f"{_minutes(elapsed)} elapsed"
        return f"{_minutes(elapsed)} elapsed, about {_minutes(left * elapsed / gained)} left"


def overview(standing: SearchProgress, clock: Clock) -> Group:
    """The running trials and the best of the others, the counts, and a bar of compute."""
    table = trial_table(_shown(standing), standing.space, standing.best)
    return Group(table, *_retries(standing), _counts(standing), _progress(standing, clock))


def _retries(standing: SearchProgress) -> list[Text]:
    """Why trials were started again and what else happened to them, the latest three."""
    retried = [
        (t.name, reason) for t in standing.trials.values() for reason in (*t.retried, *t.notes)
    ]
    return [Text(f"{name}: {reason}", STYLES["interrupted"]) for name, reason in retried[-3:]]


def _counts(standing: SearchProgress) -> Text:
    counts = standing.counts
    shown = [
        (f"{counts[status]} {status}  ", STYLES[status]) for status in STYLES if counts[status]
    ]
    return Text.assemble(*shown)


def _progress(standing: SearchProgress, clock: Clock) -> Table:
    spent, left = standing.spent, standing.left
    share = 0.0 if left is None else 1.0 if not spent + left else spent / (spent + left)
    row = Table.grid(padding=(0, 2))
    row.add_row(
        ProgressBar(total=1.0, completed=share, width=24),
        f"{share:.0%}" if left is not None else "",
        f"{spent:.0f} {standing.space.budget.unit.replace('_', ' ')}",
        clock,
    )
    return row


def _shown(standing: SearchProgress) -> list[Trial]:
    running = [t for t in standing.under_way() if t.status == "running"]
    others = (t for t in standing.best_first() if t.status != "running")
    return [*running[:SHOWN], *islice(others, max(0, SHOWN - len(running)))]


def trial_line(trial: Trial, standing: SearchProgress) -> str:
    """What became of a trial, in a line."""
    value = trial.last.get(standing.objective.metric)
    shown = "" if value is None else f"  {standing.objective.metric} {value:.4g}"
    reason = f"  {trial.error.splitlines()[-1]}" if trial.error else ""
    return (
        f"[{standing.ended}/{standing.total}] {trial.name} {trial.status} at epoch "
        f"{max(trial.epochs, default=0)}{shown}  {_settings(trial)}{reason}"
    )


def trial_table(trials: list[Trial], space: Space, best: Trial | None) -> Table:
    """Trials as rows: status, progress, the objective, the test accuracy, and the settings.

    The settings are a column each, or all in one where a terminal has no room for so many.
    """
    metric = space.objective.metric
    paths = list(dict.fromkeys(dim.path for dim in space.dimensions))
    names = headings(paths)
    folded = len(paths) > COLUMNS
    rows = [
        [
            _name(trial, best),
            trial.status,
            f"{max(trial.epochs, default=0)}/{trial.total_epochs}",
            short(trial.last.get(metric)),
            short(trial.last.get("test_accuracy")),
            *([] if folded else [short(trial.values.get(path)) for path in paths]),
        ]
        for trial in trials
    ]
    table = Table(box=None, header_style="bold", pad_edge=False)
    heads = ("trial", "status", "epoch", metric, "test acc.*", *([] if folded else names))
    for place, heading in enumerate(heads):
        # What is folded gives way to these where there is no room for all.
        width = max(len(row[place]) for row in [heads, *rows]) if folded else None
        table.add_column(
            heading, no_wrap=True, min_width=width, justify="left" if place < 2 else "right"
        )
    if folded:
        table.add_column("settings")
    for trial, (name, status, *cells) in zip(trials, rows, strict=True):
        settings = [_folded(trial, dict(zip(paths, names, strict=True)))] if folded else []
        table.add_row(
            name,
            Text(status, STYLES[status]),
            *cells,
            *settings,
            style="bold" if trial is best else None,
        )
    sentinel = "◆ sentinel, never stopped early.  " if any(t.sentinel for t in trials) else ""
    table.caption = f"★ leads.  {sentinel}* for the record only: nothing is chosen by it."
    table.caption_justify = "left"
    return table


def _folded(trial: Trial, names: Mapping[str, str]) -> str:
    """As in ``saner, lr 0.05, rho 0.1``."""
    shown = [
        short(value) if path == "method" else f"{names.get(path, path)} {short(value)}"
        for path, value in trial.values.items()
    ]
    return ", ".join(shown)


def headings(paths: list[str]) -> list[str]:
    """Each path's last part where no other ends alike: a terminal has 80 columns."""
    last = Counter(path.rpartition(".")[2] for path in paths)
    return [name if last[name := path.rpartition(".")[2]] == 1 else path for path in paths]


def _name(trial: Trial, best: Trial | None) -> str:
    name = f"{trial.name} base" if trial.origin == "baseline" else trial.name
    if trial.confirms:
        name = f"{trial.name} of {trial.confirms}"
    name = f"{name} ◆" if trial.sentinel else name
    return f"{name} ★" if trial is best else name


def _settings(trial: Trial) -> str:
    return " ".join(f"{path}={short(value)}" for path, value in trial.values.items())


def short(value: object) -> str:
    """Numbers to four significant digits; a dash for what is missing."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _minutes(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
