"""The sections of docs/results.md about the papers' claims."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import claims
from markdown import p_value, paragraph, percent, points, table
from pandas.api.types import is_numeric_dtype
from populations import Recorded, with_most_trials

from tune_robust.statistics import estimate

SHOWN = {
    "parts": (["method"], "law.shape", "SAM's `rho` is 0.5 where there is one."),
    "rho_schedule": (
        ["sam.rho"],
        "sam.rho_schedule",
        "a falling `rho` helps where it begins too large, and not where a constant one is right.",
    ),
    "sam_and_gce": (["sam.rho"], "loss.name", "SAM with cross-entropy and with GCE."),
    "saner_k": (
        ["data.noise.rate", "epochs"],
        "saner.k",
        "SANER with `alpha` 0 and `rho` 0.2; `k` is a fraction of training.",
    ),
}
"""The grids that are shown: the settings of rows and columns, and a remark."""


def verdicts(tested: Sequence[claims.Tested]) -> Iterable[str]:
    """Say which claims of the papers have been decided."""
    said = {
        verdict: [f"{one.claim} ({one.on})" for one in tested if one.verdict == verdict]
        for verdict in ("supported", "refuted")
    }
    for verdict, which in said.items():
        if which:
            yield f"Claims {verdict} by a recording: {'; '.join(which)}."
    if not any(said.values()):
        yield "None of the papers' claims is decided at 5 % after correction."


def tests(tested: Sequence[claims.Tested]) -> str:
    """Return the tests of all claims."""
    head = [
        *("claim", "recording", "equal within a pair", "n"),
        *("mean difference, points (95 % interval)", "p", "corrected p", ""),
    ]
    rows = []
    for one in tested:
        figures = ["-"] * 4
        if one.size is not None:
            figures = [str(one.size.n), points(one.size), p_value(one.p), p_value(one.adjusted)]
        rows.append([one.claim, one.on, one.cells, *figures, one.verdict])
    note = paragraph(
        "A positive difference of test accuracy agrees with the claim. `populations` compares the "
        "chosen configurations; the other recordings are grids on the digits or on CIFAR-10N at "
        "16x16 (`benchmarks/recorded`), in which everything else within a pair is equal. p is that "
        "of Wilcoxon's signed-rank test for populations and of Student's paired t test for grids, "
        "corrected for all rows (Holm). A claim is `supported` or "
        "`refuted` by a row if it is significant at 5 %, and otherwise `open`; `not recorded` rows "
        "have a grid in `benchmarks/claims` that has not been recorded completely."
    )
    return f"## The papers' claims\n\n{note}\n{table(head, rows)}"


def saner_by_rho(recordings: claims.Recordings) -> str:
    """Return how far SANER is above SAM at each rho."""
    parts = []
    for grid in claims.GRIDS:
        gains = claims.saner_by_rho(recordings, grid)
        if gains is None:
            continue
        sam, gains = gains["sam"], gains.drop(columns="sam")
        head = ["`rho`", "SAM, %", *(f"`alpha` {alpha:g}" for alpha in gains)]
        rows = [
            [f"{rho:g}", f"{100 * sam[rho]:.1f}", *(f"{100 * v:+.1f}" for v in row)]
            for rho, row in gains.iterrows()
        ]
        parts.append(f"`{grid}`:\n\n{table(head, rows)}")
    if not parts:
        return ""
    note = paragraph(
        "The test accuracy of SAM, and by how many points SANER is above it with the same `rho`, "
        "in means over learning rates (and over `k` on the digits). Where `rho` is too small for "
        "SAM, a small `alpha` adds what a larger `rho` would; where SAM's `rho` is right, it takes "
        "away. The average over all `rho` therefore says little about either, and these tables, "
        "seen after the fact, are no test."
    )
    joined = "\n".join(parts)
    return f"## Where SANER is above SAM\n\n{note}\n{joined}"


def rho_by_rate(recordings: claims.Recordings) -> str:
    """Return what SAM's rho does at each noise rate; empty if that has not been recorded."""
    found = claims.rho_by_rate(recordings)
    if not found:
        return ""
    note = paragraph(
        "SAM on the digits with symmetric noise: mean test accuracy in percent over the seeds by "
        "`rho` (grid `rho_and_noise`), and how many points are lost with the value of `rho` that "
        "is best at 40 %."
    )
    rhos = list(found[0].means.index)
    head = ["noise", *(f"`rho` {rho:g}" for rho in rhos), "lost with the best at 40 %, points"]
    rows = [
        [
            f"{100 * one.rate:.0f} %",
            *(f"{100 * one.means[rho]:.1f}" for rho in rhos),
            percent(one.lost),
        ]
        for one in found
    ]
    return f"## SAM's `rho` and the noise rate\n\n{note}\n{table(head, rows)}"


def grids(recordings: claims.Recordings) -> str:
    """Return the mean test accuracies of the grids that have been recorded."""
    parts = []
    for name, (index, columns, note) in SHOWN.items():
        grid = recordings.grids[name]
        if grid is None:
            continue
        if not is_numeric_dtype(grid[columns]):
            grid = grid.fillna({columns: "none"})
        means = grid.pivot_table(index=index, columns=columns, values="test_accuracy")
        head = [*(f"`{path}`" for path in index), *(f"`{columns}` {_value(v)}" for v in means)]
        rows = [
            [*map(_value, key if len(index) > 1 else [key]), *map(_mean, row)]
            for key, row in zip(means.index, means.to_numpy(), strict=True)
        ]
        parts.append(f"{paragraph(f'`{name}`: {note}')}\n{table(head, rows)}")
    if not parts:
        return ""
    note = paragraph(
        "Mean test accuracy over the seeds, in percent, on the digits with symmetric noise (40 % "
        "where it is not a row). Learning rate and weight decay are the same in all of them, so "
        "these are not the best settings of each method."
    )
    joined = "\n".join(parts)
    return f"## The grids in figures\n\n{note}\n{joined}"


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float | int) else str(value)


def _mean(value: float) -> str:
    return "" if math.isnan(value) else f"{100 * value:.1f}"


def shapes(populations: Sequence[Recorded]) -> str:
    """Return the mean over all trials that weight samples, by LAW's shape."""
    means = claims.shape_means(with_most_trials(populations))
    head = ["shape", "mean test accuracy, % (95 % interval over populations)"]
    shapes = [shape for shape in claims.SHAPES if shape in means]
    rows = [[f"`{shape}`", percent(estimate(means[shape].tolist()))] for shape in shapes]
    note = paragraph(
        "All configurations of LAW, SLAW and SANER + SLAW in the populations, selected or not. "
        "Each shape has its own 5 or 6 of them, the same in every population: a difference may be "
        "due to the shape or to the other settings, so this is no test. The grid `parts` compares "
        "them with equal settings."
    )
    return f"## LAW's three directions\n\n{note}\n{table(head, rows)}"
