"""The transition matrix of a data set's label noise as one self-contained HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

if TYPE_CHECKING:
    import numpy as np

    from tune_robust.data import Summary

WRITTEN = 20
"""Up to so many classes, the percentages stand in the cells."""


def transition_matrix_page(summary: Summary, matrix: np.ndarray) -> str:
    """Rows are true classes, from the top; columns the labels given; cells percent of the row."""
    percent = 100 * matrix
    names = [f"{index} {name}" for index, name in enumerate(summary.classes)]
    figure = go.Figure(
        go.Heatmap(
            z=percent,
            x=names,
            y=names,
            zmin=0,
            zmax=100,
            colorscale="Blues",
            texttemplate="%{z:.1f}" if len(names) <= WRITTEN else None,
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
    return figure.to_html(include_plotlyjs=True, full_html=True)
