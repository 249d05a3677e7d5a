"""Selection without clean labels: the cost of selecting by noisy validation data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analysis.figures.style import GREY, WINNER, message, metric_axis, new_figure, plain_axes
from analysis.formatting import plain, score
from analysis.stored.ranking import label_sets
from analysis.stored.replicates import averaged
from analysis.stored.run import Run, scored_epochs
from tune_robust.metrics import metric, sign_of

_TRUTH = "test_accuracy"
_SELECTORS = {
    # metric: its description
    "val_accuracy": "accuracy on noisy validation labels",
    "val_loss": "loss on noisy validation labels",
    "val_information": "information about noisy validation labels",
    "val_accuracy_clean": "accuracy on true validation labels*",
    _TRUTH: "test accuracy itself*",
}
_FEWEST = 4


def selection(run: Run, chosen_by: str | None = None) -> go.Figure:
    """Plot the test accuracy of every finished trial against each selection criterion.

    There is a panel per criterion: accuracy, loss and label information on noisy validation labels,
    and accuracy on the true ones; or that of ``chosen_by`` alone. The diamond is the trial that
    each would select. Starred metrics are shown for comparison and not used for selection.
    """
    table = selection_data(run)
    if chosen_by is not None:
        table = table[table["chosen_by"] == chosen_by]
    return _selection_plot(run, table)


def selectors(run: Run) -> list[str]:
    """Return the metrics of which ``selection`` has a panel."""
    return [name for name in selection_data(run)["chosen_by"] if name != _TRUTH]


def selection_data(run: Run) -> pd.DataFrame:
    """Return the cost of each selection criterion among the finished trials.

    Columns: chosen_by, trial, test_accuracy, regret (how much lower the test accuracy of the
    selected trial is than the best trial's, in [0, 1]), rank_correlation (Spearman's, with test
    accuracy, in [-1, 1]; 1 is best for every metric), trials. Empty if the true labels are unknown,
    fewer than four trials finished, or trials learn different labels.
    """
    rows = _finished(run)
    columns = ["chosen_by", "trial", "test_accuracy", "regret", "rank_correlation", "trials"]
    if rows.empty:
        return pd.DataFrame(columns=columns)
    oracle = rows[_TRUTH].max()
    found = []
    for name in _SELECTORS:
        known = rows.dropna(subset=[name]) if name in rows else rows.iloc[:0]
        if len(known) < _FEWEST:
            continue
        seen = sign_of(metric(name).mode) * known[name]
        chosen = known.loc[seen.idxmax()]
        varied = seen.nunique() > 1 and known[_TRUTH].nunique() > 1
        correlation = seen.rank().corr(known[_TRUTH].rank()) if varied else np.nan
        truth = chosen[_TRUTH]
        found.append([name, chosen["trial"], truth, oracle - truth, correlation, len(known)])
    return pd.DataFrame(found, columns=columns)


def _finished(run: Run) -> pd.DataFrame:
    """Return the finished trials with the metrics of the epoch that gives their objective.

    The seeds of a setting are one row, their mean.
    """
    run = averaged(run)
    done = run.trials.loc[run.trials["status"] == "done", "trial"]
    scored = scored_epochs(run.epochs, run.objective).reset_index()
    scored = scored[scored["trial"].isin(done)]
    if _TRUTH not in scored or label_sets(run) > 1:
        return scored.iloc[:0]
    scored = scored.dropna(subset=[_TRUTH])
    return scored if len(scored) >= _FEWEST else scored.iloc[:0]


def _selection_plot(run: Run, table: pd.DataFrame) -> go.Figure:
    shown = table[table["chosen_by"] != _TRUTH]
    if shown.empty:
        return message("Four finished trials with a test accuracy are needed to compare choices.")
    rows = _finished(run)
    figure = make_subplots(
        rows=1,
        cols=len(shown),
        shared_yaxes=True,
        horizontal_spacing=0.05,
        figure=new_figure(height=400, margin={"l": 60, "r": 16, "t": 48, "b": 100}),
    )
    for column, choice in enumerate(shown.itertuples(), 1):
        figure.add_scatter(
            x=rows[choice.chosen_by].to_numpy("float32"),
            y=rows[_TRUTH].to_numpy("float32"),
            text=[plain(trial) for trial in rows["trial"]],
            mode="markers",
            name="finished trials",
            showlegend=column == 1,
            marker={"color": GREY, "size": 7, "opacity": 0.7},
            hovertemplate="%{text}<br>test accuracy %{y:.1%}<extra></extra>",
            row=1,
            col=column,
        )
        chosen = rows[rows["trial"] == choice.trial]
        figure.add_scatter(
            x=chosen[choice.chosen_by],
            y=chosen[_TRUTH],
            mode="markers",
            name="chosen by it",
            showlegend=column == 1,
            marker={"color": WINNER, "symbol": "diamond", "size": 14},
            hovertemplate=f"{plain(choice.trial)}: gives away {score(_TRUTH, choice.regret)}"
            "<extra></extra>",
            row=1,
            col=column,
        )
        axis = metric_axis(choice.chosen_by)
        lost = f"gives away {100 * choice.regret:.1f} points<br>"
        title = _SELECTORS[choice.chosen_by].replace(" validation", "<br>validation")
        correlation = f"rank correlation {choice.rank_correlation:.2f}"
        axis["title_text"] = f"{title}<br><sup>{lost}{correlation}</sup>"
        figure.update_xaxes(**axis, row=1, col=column)
    plain_axes(figure)
    figure.update_yaxes(**metric_axis(_TRUTH), col=1)
    return figure
