"""The searches of ``searchers.py`` as tables in Markdown, as in docs/performance.md."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from intervals import mean_of, quantiles
from markdown import table

NAMES = {
    "gp_mf_promotion": "ours, `gp_mf` with `promotion`",
    "gp_mf_asha": "ours, `gp_mf` with `asha`",
    "tpe_asha": "ours, `tpe` with `asha`",
    "random_promotion": "ours, `random` with `promotion`",
    "optuna_random": "Optuna, random",
    "optuna_random_halving": "Optuna, random with successive halving",
    "optuna_tpe": "Optuna, TPE",
    "optuna_gp": "Optuna, Gaussian process",
    "optuna_median": "Optuna, TPE with median pruning",
    "optuna_median_own_grace": "Optuna, TPE with median pruning, default first rung",
    "optuna_hyperband": "Optuna, TPE with Hyperband",
    "optuna_hyperband_own_grace": "Optuna, TPE with Hyperband, default first rung",
    "syne_tune_asha": "Syne Tune, ASHA",
    "syne_tune_mobster": "Syne Tune, MOBSTER",
    "syne_tune_dyhpo": "Syne Tune, DyHPO",
    "syne_tune_bo": "Syne Tune, Bayesian optimisation",
    "smac_hyperband": "SMAC3, Hyperband",
    "neps_async_hyperband": "NePS, asynchronous Hyperband",
    "neps_hyperband": "NePS, Hyperband",
    "neps_priorband": "NePS, PriorBand",
}
"""How the documents call the searchers, in the order of the tables."""


class Measured(NamedTuple):
    """The searches of one searcher on one recording.

    ``compute`` (n,) has the fraction of the compute until the target, infinite if it was never
    reached; ``accuracy`` (n, k) the test accuracy after each of k parts of the compute, NaN where
    no trial had finished by then.
    """

    compute: np.ndarray
    accuracy: np.ndarray


Found = Mapping[str, Mapping[str, Measured]]
"""What was measured, by the title of the recording and by the searcher."""


def compute_table(found: Found) -> str:
    """Return the median of the compute to the target, its interval, and the number of seeds."""
    return _grid(found, _compute)


def accuracy_table(found: Found) -> str:
    """Return the median of the test accuracy after each part of the compute."""
    return _grid(found, _accuracy)


def means_table(found: Found, at: Sequence[float]) -> str:
    """Return the means over the recordings, of the searchers that were run on all of them.

    The differences, each with its interval, are to the first searcher. A search that never reached
    the target counts as the whole compute; there is no mean of the test accuracy if a search had
    no finished trial.

    Args:
        found: as for the others.
        at: the parts of the compute after which the test accuracy was measured.
    """
    kinds = [kind for kind in _kinds(found) if all(kind in by_kind for by_kind in found.values())]
    head = ["", "compute", "difference", "lower median, higher"]
    head += [f"test accuracy after {100 * part:.0f} %" for part in at]
    searches = {kind: [by_kind[kind] for by_kind in found.values()] for kind in kinds}
    rows = [
        [NAMES[kind], *_means(own, [] if kind == kinds[0] else searches[kinds[0]], len(at))]
        for kind, own in searches.items()
    ]
    return table(head, rows)


def _kinds(found: Found) -> list[str]:
    return [kind for kind in NAMES if any(kind in by_kind for by_kind in found.values())]


def _grid(found: Found, cell: Callable[[Measured], str]) -> str:
    """Return a table whose rows are the recordings or the searchers, whichever are more."""
    kinds = _kinds(found)
    parts = (title.partition(",") for title in found)
    titles = [f"`{name}`{comma}{rest}" for name, comma, rest in parts]
    columns = [
        [cell(by_kind[kind]) if kind in by_kind else "" for kind in kinds]
        for by_kind in found.values()
    ]
    if len(kinds) <= len(titles):
        rows = ([title, *column] for title, column in zip(titles, columns, strict=True))
        return table(["", *(NAMES[kind] for kind in kinds)], rows)
    lines = zip(kinds, zip(*columns, strict=True), strict=True)
    return table(["", *titles], ([NAMES[kind], *cells] for kind, cells in lines))


def _compute(measured: Measured) -> str:
    found, n = quantiles(measured.compute), len(measured.compute)
    reached = int(np.isfinite(measured.compute).sum())
    seeds = f"[{n}]" if reached == n else f"[{reached} of {n}]"
    if found["median"] is None:
        return f"never {seeds}"
    median, low, high = (_percent(found[name]) for name in ("median", "from", "to"))
    return f"{median} ({low} to {high}) {seeds}"


def _accuracy(measured: Measured) -> str:
    # A search without a finished trial counts as the worst.
    columns = np.nan_to_num(measured.accuracy, nan=-math.inf).T
    return ", ".join(_percent(quantiles(column)["median"], "none") for column in columns)


def _percent(value: float | None, unknown: str = "never") -> str:
    return unknown if value is None else f"{100 * value:.1f}"


def _means(own: Sequence[Measured], first: Sequence[Measured], parts: int) -> Iterator[str]:
    """Return the cells of a searcher; ``first`` is empty for the first one."""
    spent, first_spent = ([np.minimum(one.compute, 1.0) for one in each] for each in (own, first))
    yield _mean(spent)
    yield _apart(spent, first_spent)
    yield _lower_and_higher(own, first)
    for part in range(parts):
        ends, first_ends = ([one.accuracy[:, part] for one in each] for each in (own, first))
        apart = _apart(ends, first_ends)
        yield _mean(ends, interval=False) + (f", {apart}" if apart else "")


def _mean(groups: list[np.ndarray], *, interval: bool = True) -> str:
    if not _known(groups):
        return "none"
    mean = mean_of(groups)
    ends = f" ({100 * mean.low:.1f} to {100 * mean.high:.1f})" if interval else ""
    return f"{100 * mean.value:.1f}{ends}"


def _apart(own: list[np.ndarray], first: list[np.ndarray]) -> str:
    """Return the difference of the means; empty if one of them is unknown."""
    if not (first and _known(own) and _known(first)):
        return ""
    apart = mean_of(own, first)
    return f"{100 * apart.value:+.1f} ({100 * apart.low:+.1f} to {100 * apart.high:+.1f})"


def _known(groups: list[np.ndarray]) -> bool:
    return not any(np.isnan(values).any() for values in groups)


def _lower_and_higher(own: Sequence[Measured], first: Sequence[Measured]) -> str:
    """Return on how many recordings the median is lower and higher than that of the first."""
    if not first:
        return ""
    pairs = [
        [np.quantile(each.compute, 0.5, method="inverted_cdf") for each in both]
        for both in zip(own, first, strict=True)
    ]
    return f"{sum(a < b for a, b in pairs)}, {sum(a > b for a, b in pairs)}"
