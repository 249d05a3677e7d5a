"""The claims of the papers about SAM, SANER and SLAW under label noise, tested on the recordings.

A claim is that some differences of test accuracy are positive on average. They are paired: between
methods over the populations (method_comparison.py), or between two values of one setting over the
cells of a recorded grid whose other settings are equal. The former are tested by Wilcoxon's
signed-rank test, as the populations differ in kind; the latter by Student's paired t test, as a few
seeds cannot be significant by ranks. The tests of all claims are corrected together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import record_claims
from method_comparison import LEVEL, holm, paired_t, signed_rank
from populations import Recorded

from tune_robust.statistics import Estimate, estimate

GRIDS = ("methods_grid_digits", "methods_grid_cifar10n")
SHAPES = ("suppress_high", "band", "as_published")


class Tested(NamedTuple):
    """One test of a claim: positive differences support it.

    ``on``: the data; ``cells``: what is equal within a pair. ``size`` is None if the data has not
    been recorded; ``adjusted`` is ``p`` corrected for all tests.
    """

    claim: str
    on: str
    cells: str
    size: Estimate | None
    p: float | None
    adjusted: float | None = None

    @property
    def verdict(self) -> str:
        """Return ``supported``, ``refuted`` or ``open``, at 5 % after the correction."""
        if self.size is None:
            return "not recorded"
        if self.adjusted is None or self.adjusted > LEVEL:
            return "open"
        return "supported" if self.size.mean > 0 else "refuted"


class Recordings(NamedTuple):
    """The recorded grids by name; those that are missing are None."""

    grids: dict[str, pd.DataFrame | None]

    @classmethod
    def load(cls, folder: Path) -> Recordings:
        """Return the grids in the folder of all recordings."""
        places = dict.fromkeys(GRIDS, folder)
        places |= dict.fromkeys(record_claims.CLAIMS, folder / "claims")
        return cls({n: record_claims.load(n, folder=place) for n, place in places.items()})

    def tested(
        self, claim: str, grid: str, path: str, more: object, less: object, by: Sequence[str]
    ) -> Tested:
        """Test that the value ``more`` of a setting is above ``less``, with all of ``by`` equal."""
        table = self.grids.get(grid)
        wide = None
        if table is not None:
            wide = table.pivot_table(index=[*by], columns=path, values="test_accuracy")
        gains = None if wide is None else (wide[more] - wide[less]).dropna()
        return _within(claim, grid, by, gains)


def tests(accuracies: pd.DataFrame, recordings: Recordings) -> list[Tested]:
    """Return the tests of all claims.

    ``accuracies`` are those of the chosen configurations, by population and method.
    """
    found = [
        *_saner(accuracies, recordings),
        *_slaw(accuracies, recordings),
        *_sam(recordings),
    ]
    adjusted = iter(holm([one.p for one in found if one.p is not None]))
    return [one if one.p is None else one._replace(adjusted=next(adjusted)) for one in found]


def _within(claim: str, grid: str, by: Sequence[str], gains: pd.Series | None) -> Tested:
    """Test a claim on the differences within the cells of a grid."""
    cells = ", ".join(f"`{name}`" for name in by)
    if gains is None or gains.empty:
        return Tested(claim, f"`{grid}`", cells, None, None)
    return Tested(claim, f"`{grid}`", cells, estimate(gains.tolist()), paired_t(gains))


def _methods(accuracies: pd.DataFrame, claim: str, more: str, less: str) -> Tested:
    """Test that one method is above another, over the populations."""
    if not {more, less} <= set(accuracies):
        return Tested(claim, "populations", "population", None, None)
    gains = accuracies[more] - accuracies[less]
    size = estimate(gains.tolist())
    return Tested(claim, "populations", "population", size, signed_rank(gains))


def _saner(accuracies: pd.DataFrame, recordings: Recordings) -> Iterator[Tested]:
    tested, digits, cifar = recordings.tested, *GRIDS
    same = ("optimizer.lr", "sam.rho")
    above = "SANER is above SAM"
    yield _methods(accuracies, above, "saner", "sam")
    for grid in (digits, cifar):
        yield tested(above, grid, "method", "saner", "sam", same)
    small = "a smaller `alpha` is better: 0 above 0.8"
    yield tested(small, digits, "saner.alpha", 0.0, 0.8, (*same, "saner.k"))
    yield tested(small, cifar, "saner.alpha", 0.0, 0.8, same)
    gradual = "lowering `alpha` gradually over `k` epochs is better than having it from the start"
    yield tested(gradual, digits, "saner.k", 10.0, 0.0, (*same, "saner.alpha"))
    lengths = ("data.noise.rate", "epochs", "seed")
    yield tested(gradual, "saner_k", "saner.k", 0.25, 0.0, lengths)
    yield _best_k(recordings, "data.noise.rate", 0.6, 0.2, "a larger `k` is better at less noise")
    yield _best_k(recordings, "epochs", 10, 30, "a larger `k` is better in longer training")


def _best_k(recordings: Recordings, path: str, less: float, more: float, claim: str) -> Tested:
    """Compare what the largest k gains over none between two values of another setting."""
    table = recordings.grids["saner_k"]
    others = [name for name in ("data.noise.rate", "epochs", "seed") if name != path]
    gains = None
    if table is not None:
        wide = table.pivot_table(index=[*others, path], columns="saner.k", values="test_accuracy")
        gain = (wide[0.75] - wide[0.0]).unstack(path)
        gains = gain[more] - gain[less]
    return _within(claim, "saner_k", others, gains)


def _slaw(accuracies: pd.DataFrame, recordings: Recordings) -> Iterator[Tested]:
    high, *others = SHAPES
    for other in others:
        claim = f"LAW: `{high}` is better than `{other}`"
        yield recordings.tested(claim, "parts", "law.shape", high, other, ("method", "seed"))
    for claim, more, less in (
        ("SALS alone is above SGD", "sals", "sgd"),
        ("SLAW is above SALS alone", "slaw", "sals"),
        ("SLAW is above LAW alone", "slaw", "law"),
        ("SANER + SLAW is above SANER", "saner_slaw", "saner"),
        ("SANER + SLAW is above SLAW", "saner_slaw", "slaw"),
    ):
        yield _methods(accuracies, claim, more, less)
        yield _parts(recordings, claim, more, less)


def shape_means(populations: Sequence[Recorded]) -> pd.DataFrame:
    """Return the mean test accuracy of all trials by population and shape of LAW."""
    by_population = {
        one.population.name: one.last.groupby("law.shape")["test_accuracy"].mean()
        for one in populations
    }
    return pd.DataFrame(by_population).T


def _parts(recordings: Recordings, claim: str, more: str, less: str) -> Tested:
    """Compare two methods seed by seed, with ``suppress_high`` where they have LAW."""
    table = recordings.grids["parts"]
    gains = None
    if table is not None:
        alike = table[table["law.shape"].isna() | (table["law.shape"] == SHAPES[0])]
        wide = alike.pivot_table(index="seed", columns="method", values="test_accuracy")
        gains = wide[more] - wide[less]
    return _within(claim, "parts", ["seed"], gains)


def _sam(recordings: Recordings) -> Iterator[Tested]:
    same = ("sam.rho", "seed")
    for schedule in ("step_decay", "exponential_decay", "step_increase"):
        claim = f"SAM: the schedule `{schedule}` of `rho` is better than a constant one"
        path = "sam.rho_schedule"
        yield recordings.tested(claim, "rho_schedule", path, schedule, "constant", same)
    claim = "GCE adds to SAM"
    yield recordings.tested(claim, "sam_and_gce", "loss.name", "gce", "ce", same)


class RhoByRate(NamedTuple):
    """SAM's rho at one noise rate.

    ``means``: test accuracy by rho, over seeds. ``lost``: how far the rho that is best at 40 % is
    below the one that is best at this rate, by seed.
    """

    rate: float
    means: pd.Series
    lost: Estimate


def rho_by_rate(recordings: Recordings) -> list[RhoByRate]:
    """Return what SAM's rho does at each noise rate; nothing if it has not been recorded."""
    table = recordings.grids["rho_and_noise"]
    if table is None:
        return []
    path = "data.noise.rate"
    wide = table.pivot_table(index=[path, "seed"], columns="sam.rho", values="test_accuracy")
    guide = wide.loc[0.4].mean().idxmax()
    found = []
    for rate in wide.index.levels[0]:
        means = wide.loc[rate].mean()
        lost = wide.loc[rate][means.idxmax()] - wide.loc[rate][guide]
        found.append(RhoByRate(rate, means, estimate(lost.tolist())))
    return found


def saner_by_rho(recordings: Recordings, grid: str) -> pd.DataFrame | None:
    """Return how much SANER is above SAM at each rho: a row per rho, a column per alpha.

    Means over learning rates and k.
    """
    table = recordings.grids[grid]
    if table is None:
        return None
    by = ["sam.rho", "optimizer.lr"]
    sam = table[table["method"] == "sam"].set_index(by)["test_accuracy"]
    saner = table[table["method"] == "saner"]
    means = saner.pivot_table(index=by, columns="saner.alpha", values="test_accuracy")
    gains = means.sub(sam, axis="index").groupby("sam.rho").mean()
    return gains.assign(sam=sam.groupby("sam.rho").mean())
