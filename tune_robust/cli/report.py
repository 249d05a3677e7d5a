"""``tune-robust report``: one self-contained HTML page about a run, or its figures as files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tune_robust.cli.options import STORAGE, Run, Storage


class Format(StrEnum):
    """png, svg and pdf need a Chrome or Chromium browser; csv is the figures' data."""

    png = "png"
    svg = "svg"
    pdf = "pdf"
    html = "html"
    csv = "csv"


def report(
    run: Run,
    out: Annotated[Path | None, typer.Option(help="The file; by default RUN/report.html.")] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Write each figure into this folder instead.")
    ] = None,
    format: Annotated[Format, typer.Option(help="Of the figures.")] = Format.html,
    storage: Storage = STORAGE,
) -> None:
    """Write a run's report: the answer in words, the figures, the trials.

    \b
    Examples:
      tune-robust report r1
      tune-robust report runs/r1 --out report.html
      tune-robust report r1 --figures figures --format svg
      tune-robust report r1 --figures tables --format csv
    """
    from analysis import load_run, write_figures, write_report
    from tune_robust.runs.find import find_run

    folder = find_run(run, storage)
    if figures is None:
        print(write_report(folder.path, out))
        folder.upload()
        return
    for file in write_figures(load_run(folder.path), figures, format.value):
        print(file)
