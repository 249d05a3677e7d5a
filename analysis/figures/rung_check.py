"""Rung check: how well scores at the rungs of early stopping predict final scores."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analysis.figures.style import BASELINE, GREY, WINNER, message, new_figure, plain_axes
from analysis.formatting import number
from analysis.stored.ranking import label_sets
from analysis.stored.run import Run

if TYPE_CHECKING:
    from tune_robust.schedulers.rung_check import RungCheck

_JUDGED = ("known", "sampled")
_UNITS = {"gradient_evaluations": "gradient evaluations", "epochs": "epochs", "seconds": "seconds"}


def rung_check(run: Run) -> go.Figure:
    """Plot the rank correlation between each rung and the end, with its 95 % interval.

    It is measured on the trials that early stopping could not stop: the sentinels, or all trials if
    none was stopped. Rungs at which the best of them would have been stopped are marked in red.
    """
    return _rung_check_plot(rung_check_info(run), _unit(run))


def rung_check_data(run: Run) -> pd.DataFrame:
    """Return the data of ``rung_check``: resource, n, correlation, low, high, drops_best."""
    check = rung_check_info(run)
    columns = ["resource", "n", "correlation", "low", "high", "drops_best"]
    rows = [] if check is None else [[getattr(r, c) for c in columns] for r in check.rungs]
    return pd.DataFrame(rows, columns=columns)


@lru_cache(maxsize=4)
def rung_check_info(run: Run) -> RungCheck | None:
    """Return the check; None without such trials, across label sets, or with several objectives."""
    from tune_robust.schedulers.building import rungs_of, stopping_scheduler
    from tune_robust.schedulers.rung_check import Result, check_rungs
    from tune_robust.spaces.space import Space

    judged = run.trials[run.trials["origin"].isin(_JUDGED)]
    cohort = _cohort(run, judged)
    several = run.space["objective"].get("against")
    if not cohort or several or label_sets(run) > 1:
        return None
    space = Space.from_document(run.space)
    epochs = run.epochs[run.epochs["trial"].isin(judged["trial"])]
    epochs = epochs.dropna(subset=[run.objective.metric])
    values = epochs[run.objective.metric]
    if run.objective.at == "best":
        values = values.groupby(epochs["trial"]).transform(run.objective.best_so_far)
    spent = epochs["epoch" if space.budget.unit == "epochs" else space.budget.unit]
    results = map(Result, epochs["trial"], spent.astype(float), values.astype(float))
    return check_rungs(
        results,
        cohort,
        scheduler=stopping_scheduler(space),
        rungs=rungs_of(space),
        mode=run.objective.mode,
    )


def _cohort(run: Run, judged: pd.DataFrame) -> list[str]:
    """Return the trials that ran to their end independently of the rungs."""
    done = judged[judged["status"] == "done"]
    if _budget(run).get("scheduler") == "none":
        return done["trial"].tolist()
    if "sentinel" not in done:
        return []
    return done.loc[done["sentinel"].astype(bool), "trial"].tolist()


def _budget(run: Run) -> dict:
    return run.space.get("budget") or {}


def _unit(run: Run) -> str:
    unit = _budget(run).get("unit", "gradient_evaluations")
    return _UNITS.get(unit, unit)


def _rung_check_plot(check: RungCheck | None, unit: str) -> go.Figure:
    if check is None or not check.enough:
        return message("Too few trials ran to their end independently of the rungs.")
    rungs = [rung for rung in check.rungs if rung.correlation is not None]
    if not rungs:
        return message("No rung was reached by enough trials that early stopping could not stop.")
    figure = new_figure(height=320, margin={"l": 56, "r": 24, "t": 48, "b": 56})
    for drops, name, colour, symbol in (
        (False, "keeps the best", WINNER, "circle"),
        (True, "would drop the best", BASELINE, "x"),
    ):
        part = [rung for rung in rungs if rung.drops_best == drops]
        if not part:
            continue
        correlation = np.array([rung.correlation for rung in part])
        figure.add_scatter(
            x=[number(rung.resource) for rung in part],
            y=correlation,
            error_y={
                "type": "data",
                "array": [rung.high for rung in part] - correlation,
                "arrayminus": correlation - [rung.low for rung in part],
                "color": colour,
                "thickness": 2,
                "width": 8,
            },
            customdata=[rung.n for rung in part],
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": symbol, "size": 13},
            hovertemplate="%{y:.2f} over %{customdata} trials<extra></extra>",
        )
    figure.add_hline(0, line={"color": GREY, "width": 1, "dash": "dot"})
    plain_axes(figure)
    figure.update_yaxes(title_text="Rank correlation with the end", range=[-1.08, 1.08])
    places = [number(rung.resource) for rung in rungs]
    figure.update_xaxes(
        title_text=f"rung, in {unit}", type="category", categoryarray=places, categoryorder="array"
    )
    return figure
