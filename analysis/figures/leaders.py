"""The best trial of each method, to be compared with one another."""

from __future__ import annotations

from analysis.figures.style import PALETTE
from analysis.stored.ranking import ranking
from analysis.stored.run import Run
from analysis.stored.trial import label


def leaders(run: Run) -> dict[str, str]:
    """By method the name of its best trial, best method first, as many as there are colours.

    Baselines take part. Trials whose configuration names no method are one method, the best of
    them called ``winner``.
    """
    found: dict[str, str] = {}
    ranked = ranking(run).table.dropna(subset=["objective"])
    for row in ranked.filter(["trial", "config"]).to_dict("records"):
        name = label(row)
        found.setdefault("winner" if name == row["trial"] else name, row["trial"])
        if len(found) == len(PALETTE):
            break
    return found
