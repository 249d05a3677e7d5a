"""Format the runs in a storage as the rows of a table."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from tune_robust.console.trial_table import STYLES
from tune_robust.formatting import MISSING, short, visible
from tune_robust.runs.listing import RunSummary

_STYLES = {
    "running": STYLES["running"],
    "finished": STYLES["done"],
    "interrupted": STYLES["interrupted"],
    "unreadable": STYLES["failed"],
}


def run_table(runs: Iterable[RunSummary]) -> Table:
    """Return runs as rows: state, trials, best score, owner and date."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("run", "state", "trials", "best", "", "owner", "created"):
        table.add_column(heading, overflow="fold")
    for run in runs:
        table.add_row(
            visible(run.name),
            Text(run.state, style=_STYLES[run.state]),
            MISSING if run.ended is None else f"{run.ended}/{run.total}",
            short(run.best),
            "" if run.best is None else run.metric,
            visible(run.owner or MISSING),
            (run.created or MISSING)[:16].replace("T", " "),
        )
    return table
