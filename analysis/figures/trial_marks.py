"""The trials on a surface: their marks and their hover texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from analysis.figures.style import INK
from analysis.formatting import plain
from analysis.surrogate.surface import Surface
from tune_robust.metrics import metric

MARKS = {
    # status: legend, symbol, size, fill and rim, which are visible on any colour of a surface
    "stopped": ("stopped early", "circle", 7, INK, "white"),
    "unfinished": ("not finished", "diamond", 8, INK, "white"),
    "failed": ("failed", "x", 9, "white", INK),
    "done": ("finished", "circle", 9, "white", INK),
    "winner": ("winner", "star", 18, "white", INK),
}


def observed_groups(surface: Surface, winner: str | None) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the keys of ``MARKS`` with their trials, the winner last so that it is on top."""
    observed = surface.observed
    known = observed["status"].where(observed["status"].isin(list(MARKS)), "unfinished")
    marks = known.where(observed["trial"] != winner, "winner")
    for mark in MARKS:
        rows = observed[marks == mark]
        if len(rows):
            yield mark, rows


def hover(surface: Surface, mark: str, rows: pd.DataFrame) -> dict[str, Any]:
    """Return the hover texts of the trials of one mark, as properties of their trace."""
    about, legend = metric(surface.metric), MARKS[mark][0]
    value = "%{customdata[0]:.1%}" if about.is_fraction else "%{customdata[0]:.3g}"
    lines = [
        f"<b>%{{text}}</b> · {legend}",
        f"{value} {plain(about.title)}",
        "after %{customdata[1]:.0f} gradient evaluations",
        f"{plain(surface.across.path)} %{{x:.3g}}",
    ]
    if surface.y is not None:
        lines.append(f"{plain(surface.up.path)} %{{y:.3g}}")
    return {
        "text": [plain(trial) for trial in rows["trial"]],
        "customdata": rows[["value", "gradient_evaluations"]].to_numpy("float32"),
        "hovertemplate": "<br>".join(lines) + "<extra></extra>",
    }
