"""How a running search looks: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tune_robust.search.conductor import Conductor
from tune_robust.search.objective import spent
from tune_robust.search.space import Space
from tune_robust.search.store import ENDED, RunFolder, Trial

if TYPE_CHECKING:
    from tune_robust.search.ray_backend import Slots

SHOWN = 12
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


class Progress:
    """Follows the conductor's trials; a watcher for it, and a display while it runs."""

    def __init__(self, console: Console, space: Space, folder: RunFolder):
        self._console, self._space, self._folder = console, space, folder
        self._conductor: Conductor | None = None
        self._live: Live | None = None

    @contextmanager
    def running(self, conductor: Conductor, slots: Slots, url: str | None) -> Iterator[None]:
        """Show the search for as long as it runs."""
        self._conductor, self._url = conductor, url
        self._began, self._spent_before = time.monotonic(), self._spent()
        gpus = f" and {slots.gpus:g} GPU" if slots.gpus else ""
        self._console.print(
            f"{conductor.remaining} trials to run, {slots.concurrency} at a time, "
            f"{slots.cpus} CPU{gpus} each. Ctrl-C stops cleanly."
            + (f" Dashboard: {url}" if url else ""),
            highlight=False,
            soft_wrap=True,
        )
        if not self._console.is_terminal:
            yield
            return
        with Live(self._render(), console=self._console, refresh_per_second=2) as self._live:
            yield
            self._live.update(self._render())

    def update(self, trial: Trial) -> None:
        """One trial has started, finished an epoch, or ended."""
        if self._conductor is None:
            return
        if self._live is not None:
            self._live.update(self._render())
        elif trial.status != "running":
            self._console.print(self._line(trial), highlight=False, soft_wrap=True)

    def _line(self, trial: Trial) -> str:
        value = trial.last.get(self._conductor.objective.metric)
        shown = "" if value is None else f"  {self._conductor.objective.metric} {value:.4g}"
        ended = sum(t.status in ENDED for t in self._conductor.trials.values())
        reason = f"  {trial.error.splitlines()[-1]}" if trial.error else ""
        return (
            f"[{ended}/{self._conductor.total}] {trial.name} {trial.status} at epoch "
            f"{max(trial.epochs, default=0)}{shown}  {_settings(trial)}{reason}"
        )

    def _render(self) -> Group:
        trials = self._conductor.trials.values()
        counts = Counter(trial.status for trial in trials)
        counts["pending"] += self._conductor.total - len(trials)
        line = Text.assemble(
            *(
                (f"{counts[status]} {status}  ", style)
                for status, style in STYLES.items()
                if counts[status]
            ),
            f"·  {self._spent():.0f} {self._space.budget.unit.replace('_', ' ')}  ·  ",
            self._time(),
        )
        return Group(trial_table(self._shown(), self._space, self._conductor.best), line)

    def _shown(self) -> list[Trial]:
        """The running trials and the best of the others."""
        objective, trials = self._conductor.objective, self._conductor.trials.values()
        ranked = sorted(
            trials,
            key=lambda t: (t.status != "running", objective.sort_key(objective.value(t.epochs))),
        )
        return ranked[:SHOWN]

    def _spent(self) -> float:
        return sum(spent_by(trial, self._space) for trial in self._conductor.trials.values())

    def _time(self) -> str:
        elapsed = time.monotonic() - self._began
        rate = (self._spent() - self._spent_before) / elapsed if elapsed else 0.0
        ended = [t for t in self._conductor.trials.values() if t.status in ENDED]
        if not rate or not ended:
            return f"{_minutes(elapsed)} elapsed"
        mean = sum(spent_by(trial, self._space) for trial in ended) / len(ended)
        left = _minutes(mean * self._conductor.remaining / rate)
        return f"{_minutes(elapsed)} elapsed, about {left} left"


def spent_by(trial: Trial, space: Space) -> float:
    """What a trial has cost so far, in the budget's unit."""
    return spent(space.budget.unit, max(trial.epochs), trial.last) if trial.epochs else 0.0


def trial_table(trials: list[Trial], space: Space, best: Trial | None) -> Table:
    """Trials as rows: status, settings, progress, the objective and the test accuracy."""
    metric = space.objective.metric
    paths = list(dict.fromkeys(dim.path for dim in space.dimensions))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("trial", "status", *_headings(paths), "epoch", metric, "test acc.*"):
        table.add_column(
            heading, no_wrap=True, justify="left" if heading in {"trial", "status"} else "right"
        )
    for trial in trials:
        table.add_row(
            _name(trial, best),
            Text(trial.status, STYLES[trial.status]),
            *(_short(trial.values.get(path)) for path in paths),
            f"{max(trial.epochs, default=0)}/{trial.total_epochs}",
            _short(trial.last.get(metric)),
            _short(trial.last.get("test_accuracy")),
            style="bold" if trial is best else None,
        )
    table.caption = "★ leads.  * for the record only: nothing is chosen by it."
    table.caption_justify = "left"
    return table


def _headings(paths: list[str]) -> list[str]:
    """The paths' last parts where those tell them apart: a terminal has 80 columns."""
    short = [path.rpartition(".")[2] for path in paths]
    return short if len(set(short)) == len(short) else paths


def _name(trial: Trial, best: Trial | None) -> str:
    name = f"{trial.name} base" if trial.origin == "baseline" else trial.name
    return f"{name} ★" if trial is best else name


def _settings(trial: Trial) -> str:
    return " ".join(f"{path}={_short(value)}" for path, value in trial.values.items())


def _short(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _minutes(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
