"""The rung check as a small table."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tune_robust.schedulers.rung_check import Rung, RungCheck
from tune_robust.spaces.objective import Unit


def print_rung_check(console: Console, check: RungCheck, unit: Unit) -> None:
    """Print the check and its reading; no table where the cohort is too small."""
    console.print()
    if check.enough:
        console.print(_table(check, unit.replace("_", " ")))
    console.print(f"Rung check: {check.reading}", highlight=False, soft_wrap=True)


def _table(check: RungCheck, unit: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(f"at {unit}", justify="right")
    table.add_column("trials", justify="right")
    table.add_column("rank correlation with the end")
    table.add_column("keeps the best")
    for rung in check.rungs:
        table.add_row(
            f"{rung.resource:.4g}",
            str(rung.n),
            _correlation(rung),
            "no" if rung.drops_best else "yes",
        )
    return table


def _correlation(rung: Rung) -> str:
    if rung.correlation is None:
        return "none: all are equal there or at the end"
    return f"{rung.correlation:.2f} (95 % interval {rung.low:.2f} to {rung.high:.2f})"
