"""Format trials as the rows of a table, and a trial as a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from tune_robust.formatting import short
from tune_robust.runs.progress import SearchProgress
from tune_robust.runs.trial import Trial
from tune_robust.spaces.space import Space

COLUMNS = 4
"""The largest number of settings with separate columns; more settings share one column."""
STYLES = {
    "running": "cyan",
    "done": "green",
    "paused": "blue",
    "stopped": "dim",
    "failed": "red",
    "interrupted": "yellow",
    "pending": "dim",
}


def trial_line(trial: Trial, progress: SearchProgress) -> str:
    """Return a line on a trial: its progress, score, settings and error."""
    value = trial.last.get(progress.objective.metric)
    shown = "" if value is None else f"  {progress.objective.metric} {value:.4g}"
    reason = f"  {trial.error.splitlines()[-1]}" if trial.error else ""
    known = " (known point)" if trial.origin == "known" else ""
    again = f" (repeats {trial.repeats})" if trial.repeats else known + _lineage(trial)
    return (
        f"[{progress.ended}/{progress.total}] {trial.name}{again} {trial.status} at epoch "
        f"{trial.epoch}{shown}  {_settings(trial)}{reason}"
    )


def trial_table(trials: list[Trial], space: Space, best: Trial | None) -> Table:
    """Return trials as rows: status, progress, objective, test accuracy and settings.

    Up to ``COLUMNS`` settings have a column each; more of them share one.
    """
    metric = space.objective.metric
    paths = list(dict.fromkeys(dim.path for dim in space.dimensions))
    names = headings(paths)
    folded = len(paths) > COLUMNS
    rows = [
        [
            _name(trial, best),
            trial.status,
            f"{trial.epoch}/{trial.total_epochs}",
            short(trial.last.get(metric)),
            short(trial.last.get("test_accuracy")),
            *([] if folded else [short(trial.values.get(path)) for path in paths]),
        ]
        for trial in trials
    ]
    table = Table(box=None, header_style="bold", pad_edge=False)
    heads = ("trial", "status", "epoch", metric, "test acc.*", *([] if folded else names))
    for place, heading in enumerate(heads):
        # If there is too little space, the shared column is shortened first.
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
    table.caption = f"★ best so far.  {sentinel}* not used for selection."
    table.caption_justify = "left"
    return table


def _folded(trial: Trial, names: Mapping[str, str]) -> str:
    """Return a text such as ``saner, lr 0.05, rho 0.1``."""
    shown = [
        short(value) if path == "method" else f"{names.get(path, path)} {short(value)}"
        for path, value in trial.values.items()
    ]
    return ", ".join(shown)


def headings(paths: list[str]) -> list[str]:
    """Shorten each path to its last part, unless another path ends in the same one."""
    last = Counter(path.rpartition(".")[2] for path in paths)
    return [name if last[name := path.rpartition(".")[2]] == 1 else path for path in paths]


def _name(trial: Trial, best: Trial | None) -> str:
    name = trial.name + {"baseline": " base", "known": " known"}.get(trial.origin, "")
    if trial.confirms:
        name = f"{trial.name} of {trial.confirms}"
    if trial.repeats:
        name = f"{trial.name} repeats {trial.repeats}"
    name += _lineage(trial)
    name = f"{name} ◆" if trial.sentinel else name
    return f"{name} ★" if trial is best else name


def _lineage(trial: Trial) -> str:
    """Return what a trial continues, to follow its name."""
    found = trial.continues
    return f" (continues {found.trial} after epoch {found.epoch})" if found else ""


def _settings(trial: Trial) -> str:
    return " ".join(f"{path}={short(value)}" for path, value in trial.values.items())
