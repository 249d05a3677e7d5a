"""Several runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tune_robust.api.runs import RunLike, folder_of
from tune_robust.runs.naming import STORAGE

if TYPE_CHECKING:
    from analysis.comparison.scenes import Comparison


def compare(
    *runs: RunLike,
    reach: float | None = None,
    out: str | Path | None = None,
    storage: str | Path = STORAGE,
) -> Comparison:
    """Set runs side by side: methods or spaces at equal compute, or the best settings across noise.

    Runs that differ in their seeds alone are repeats of one search, and form a band.

    Args:
        *runs: two or more Runs, names under ``storage``, paths or URIs.
        reach: compare what each run had spent when it reached this score; by default the best
            score that all of them reached.
        out: the HTML page to write; by default none is written.
        storage: the folder or URI that holds the runs.

    Returns:
        What can be compared, as plain data: ``scenes`` has one entry for each set of labels and
        network on which scores compare.

    Raises:
        UserError: there are fewer than two runs, or one of them has nothing to compare.
    """
    from analysis.comparison.page import write_comparison
    from analysis.comparison.scenes import compare_runs

    found = compare_runs([folder_of(run, storage).path for run in runs], reach=reach)
    if out is not None:
        write_comparison(found, out)
    return found
