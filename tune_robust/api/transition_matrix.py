"""Draw the transition matrix of a data set's label noise as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tune_robust.errors import UserError

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tune_robust.data import Summary

ANNOTATED = 20
"""The largest number of classes with which the cells show their percentages."""


def transition_matrix(summary: Summary) -> go.Figure:
    """Draw which labels the images of each class have, and return the Plotly figure.

    Rows are true classes, from the top; columns are given labels; cells are percentages of the row.

    Args:
        summary: a summary of the data set, from ``tune_robust.data.summarise``.

    Raises:
        UserError: the true labels are unknown.
    """
    import plotly.graph_objects as go

    if summary.transition_matrix is None:
        raise UserError("without true labels there is no transition matrix to draw.")
    names = [f"{index} {name}" for index, name in enumerate(summary.classes)]
    figure = go.Figure(
        go.Heatmap(
            z=100 * summary.transition_matrix,
            x=names,
            y=names,
            zmin=0,
            zmax=100,
            colorscale="Blues",
            texttemplate="%{z:.1f}" if len(names) <= ANNOTATED else None,
            hovertemplate="%{z:.2f} % of %{y}<br>are labelled %{x}<extra></extra>",
            colorbar={"title": "% of the class"},
        )
    )
    figure.update_layout(
        title=f"{summary.dataset}: {summary.noise_rate:.2%} of {summary.train_images:,} labels "
        "are wrong",
        template="plotly_white",
        height=max(560, 14 * len(names)),
        xaxis={"title": "label given", "automargin": True, "constrain": "domain"},
        yaxis={"title": "true class", "automargin": True, "autorange": "reversed"},
    )
    return figure
