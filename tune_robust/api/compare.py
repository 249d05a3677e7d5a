"""Compare several runs."""

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
    """Compare runs: methods or spaces at equal compute, or the best settings across noise.

    Runs that differ only in their seeds are repetitions of one search and form a band. Compute is
    counted in gradient evaluations: passes over the training set.

    Args:
        *runs: two or more Runs, names under ``storage``, paths or URIs.
        reach: compare the compute that each run used to reach this score; by default the best score
            that all of them reached.
        out: the HTML page to write; by default none is written.
        storage: the folder or URI that holds the runs.

    Returns:
        The comparison as plain data: ``scenes`` has one entry for each set of labels and network
        with comparable scores.

    Raises:
        UserError: there are fewer than two runs, or one of them has nothing to compare.
    """
    from analysis.comparison.page import write_comparison
    from analysis.comparison.scenes import compare_runs

    found = compare_runs([folder_of(run, storage).path for run in runs], reach=reach)
    if out is not None:
        write_comparison(found, out)
    return found
