"""``tune-robust compare``: compare several runs at equal compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tune_robust.cli.options import STORAGE, Json, Runs, Storage

if TYPE_CHECKING:
    from rich.table import Table

    from analysis.comparison.scenes import Scene


def compare(
    runs: Runs,
    out: Annotated[Path, typer.Option(help="The HTML page to write.")] = Path("compare.html"),
    reach: Annotated[
        float | None,
        typer.Option(
            help="Compare the compute that each run used to reach this score; by default the best "
            "score that all of them reached."
        ),
    ] = None,
    storage: Storage = STORAGE,
    as_json: Json = False,
) -> None:
    """Compare runs: methods or spaces at equal compute, or the best settings across noise.

    Runs that differ only in their seeds are repetitions of one search and form a band. Confirmed
    scores are shown if there are any. Compute is counted in gradient evaluations: passes over the
    training set.

    Examples:
      tune-robust compare sam saner
      tune-robust compare tpe-1 tpe-2 random-1 random-2 --reach 0.8
      tune-robust compare noise20 noise40 noise60 --out noise.html
    """
    import tune_robust as tr
    from analysis.comparison.text import conclusion, document
    from analysis.formatting import sentence_case

    found = tr.compare(*runs, reach=reach, out=out, storage=storage)
    page = out.expanduser()
    if as_json:
        print(json.dumps({**document(found), "page": str(page)}, indent=2))
        return

    from tune_robust.console.overview import open_console

    console = open_console()
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
    table.caption = (
        "± half of the 95 % interval over runs, or its ends where it is clipped to possible "
        "values.  * not used for selection."
    )
    table.caption_justify = "left"
    return table
