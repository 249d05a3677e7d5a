"""``tune-robust report``: one self-contained HTML page about a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tune_robust.cli.options import STORAGE, Run, Storage


def report(
    run: Run,
    out: Annotated[Path | None, typer.Option(help="The file; by default RUN/report.html.")] = None,
    storage: Storage = STORAGE,
) -> None:
    """Write a run's report: the answer in words, the figures, the trials.

    \b
    Examples:
      tune-robust report r1
      tune-robust report runs/r1 --out report.html
    """
    from analysis import write_report
    from tune_robust.search.runs import find_run

    folder = find_run(run, storage)
    print(write_report(folder.path, out))
    folder.carry_over()
