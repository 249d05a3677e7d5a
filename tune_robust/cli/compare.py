"""``tune-robust compare``: several runs side by side, at equal compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tune_robust.cli.options import STORAGE, Json, Storage

if TYPE_CHECKING:
    from rich.table import Table

    from analysis.comparison.scenes import Scene


def compare(
    runs: Annotated[list[str], typer.Argument(help="Names under --storage, or paths.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("compare.html"),
    reach: Annotated[
        float | None,
        typer.Option(help="Ask what this score costs; by default one that all reach."),
    ] = None,
    storage: Storage = STORAGE,
    as_json: Json = False,
) -> None:
    """Set runs side by side: methods or spaces at equal compute, or the best settings across noise.

    Runs that differ in their seeds alone are repeats, and form a band. Confirmed scores are shown
    where there are any.

    \b
    Examples:
      tune-robust compare sam saner
      tune-robust compare tpe-1 tpe-2 tpe-3 random-1 random-2 random-3 --reach 0.8
      tune-robust compare noise20 noise40 noise60 --out noise.html
    """
    from analysis.comparison.page import write_comparison
    from analysis.comparison.scenes import compare_runs
    from analysis.comparison.text import conclusion, document
    from analysis.formatting import sentence_case
    from tune_robust.runs.find import find_run

    found = compare_runs([find_run(run, storage).path for run in runs], reach=reach)
    page = write_comparison(found, out)
    if as_json:
        print(json.dumps({**document(found), "page": str(page)}, indent=2))
        return

    from rich.console import Console

    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=160)
    for scene in found.scenes:
        console.print(_table(scene))
        console.print()
    for sentence in conclusion(found):
        console.print(sentence_case(sentence), highlight=False)
    console.print(f"Page: {page}", highlight=False, soft_wrap=True)


def _table(scene: Scene) -> Table:
    from rich.table import Table

    from analysis.comparison.text import cells, headings, rows

    table = Table(box=None, header_style="bold", pad_edge=False, title=scene.label)
    table.title_justify = "left"
    for place, heading in enumerate(headings(scene)):
        table.add_column(heading, justify="right" if place else "left")
    for row in rows(scene):
        table.add_row(*cells(row, scene))
    table.caption = "± half of the 95 % interval over runs.  * for the record: chose nothing"
    table.caption_justify = "left"
    return table
