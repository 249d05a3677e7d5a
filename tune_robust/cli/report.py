"""``tune-robust report``: write an HTML page about a run, or its figures as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tune_robust.cli.completion import one_of
from tune_robust.cli.options import STORAGE, Json, Run, Storage
from tune_robust.errors import UserError
from tune_robust.formatting import visible


def report(
    run: Run,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; by default RUN/report.html.")
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(help="Write each figure into this folder instead of a report."),
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            help="The format of the figures. png, svg and pdf need Chrome or Chromium; csv writes "
            "the numbers that each figure draws.",
            **one_of("png", "svg", "pdf", "html", "csv"),
        ),
    ] = "html",
    storage: Storage = STORAGE,
    as_json: Json = False,
) -> None:
    """Write a run's report, an HTML page with a summary, the figures and all trials.

    Examples:
      tune-robust report r1
      tune-robust report runs/r1 --out report.html
      tune-robust report r1 --figures figures --format svg
      tune-robust report r1 --figures tables --format csv
    """
    import tune_robust as tr

    if figures is None and format != "html":
        raise UserError(
            f"--format {format} is the format of the figures: give --figures FOLDER too."
        )
    if figures is None:
        page = tr.report(run, out=out, storage=storage)
        print(json.dumps({"report": str(page)}, indent=2) if as_json else visible(str(page)))
        return
    files = tr.write_figures(run, figures, format=format, storage=storage)
    if as_json:
        print(json.dumps({"figures": [str(file) for file in files]}, indent=2))
        return
    for file in files:
        print(visible(str(file)))
