"""Write a run's report, and its figures as files."""

from __future__ import annotations

from pathlib import Path

from tune_robust.api.runs import RunLike, folder_of
from tune_robust.runs.naming import STORAGE


def report(run: RunLike, *, out: str | Path | None = None, storage: str | Path = STORAGE) -> Path:
    """Write a run's report, one self-contained HTML page, and return its path.

    Args:
        run: a Run, its name under ``storage``, its path or its URI.
        out: the file to write; by default ``report.html`` in the run's folder.
        storage: the folder or URI that holds the runs.

    Returns:
        The path of the page.

    Raises:
        UserError: there is no such run, none of its epochs has ended, or the file cannot be
            written.
    """
    from analysis.report.page import write_report
    from analysis.stored.run import load_run

    folder = folder_of(run, storage)
    page = write_report(load_run(folder.path, place=folder.place), out)
    folder.upload()
    return page


def write_figures(
    run: RunLike,
    folder: str | Path,
    *,
    format: str = "html",
    storage: str | Path = STORAGE,
) -> list[Path]:
    """Write each figure of a run's report to a file, and return the paths.

    Args:
        run: a Run, its name under ``storage``, its path or its URI.
        folder: the folder to write to, which is created if it does not exist.
        format: ``png``, ``svg`` or ``pdf`` (which need Chrome or Chromium), ``html``, or ``csv``
            for the numbers that each figure draws.
        storage: the folder or URI that holds the runs.

    Returns:
        The paths of the files.

    Raises:
        UserError: the format is unknown, the browser is missing, or the folder cannot be written.
    """
    from analysis.figures.catalogue import write_figures as write
    from analysis.stored.run import load_run

    found = folder_of(run, storage)
    return write(load_run(found.path, place=found.place), folder, format)
