"""Draw a metric over two searched settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tune_robust.api.runs import RunLike, load_run
from tune_robust.runs.naming import STORAGE

if TYPE_CHECKING:
    import plotly.graph_objects as go


def sensitivity(
    run: RunLike,
    *,
    x: str | None = None,
    y: str | None = None,
    metric: str | None = None,
    others: Literal["averaged", "winner"] = "averaged",
    storage: str | Path = STORAGE,
) -> go.Figure:
    """Draw how a metric depends on two searched settings, and return the Plotly figure.

    Args:
        run: a Run, its name under ``storage``, its path or its URI.
        x: the path of the first setting, such as ``sam.rho``; by default the most important one.
        y: the path of the second setting; by default the most important other one.
        metric: the metric to draw; by default the search's objective.
        others: the other searched settings: averaged over the trials, or those of the best trial.
        storage: the folder or URI that holds the runs.

    Returns:
        A Plotly figure; ``show()`` displays it.

    Raises:
        UserError: there is no such run, setting or metric, or no epoch of the run has ended.
    """
    from analysis.figures.sensitivity import sensitivity as draw

    loaded = load_run(run, storage=storage) if isinstance(run, str | Path) else run
    return draw(loaded, metric, x, y, others)
