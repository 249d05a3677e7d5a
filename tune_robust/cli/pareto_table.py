"""Print the Pareto front as a table."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tune_robust.console.trial_table import headings
from tune_robust.formatting import short
from tune_robust.runs.pareto import axes_of
from tune_robust.runs.trial import Trial
from tune_robust.spaces.space import Space


def print_front(console: Console, front: list[Trial], space: Space) -> None:
    """Print the front, best first by the main objective, each trial with all its objectives."""
    axes = axes_of(space)
    metrics = [axis.metric for axis in axes]
    console.print(
        f"\nPareto front of {' and '.join(metrics)}: no other trial is better in one of them "
        "without being worse in another.",
        highlight=False,
        soft_wrap=True,
    )
    paths = list(dict.fromkeys(dim.path for dim in space.dimensions))
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("trial", no_wrap=True)
    for heading in (*headings(paths), *metrics):
        table.add_column(heading, no_wrap=True, justify="right")
    for trial in front:
        table.add_row(
            trial.name,
            *(short(trial.values.get(path)) for path in paths),
            *(short(trial.last.get(metric)) for metric in metrics),
        )
    console.print(table)
