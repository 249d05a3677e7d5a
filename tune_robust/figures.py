"""All figures of a run, and the data that they draw.

    import tune_robust as tr

    run = tr.load_run("runs/first")
    tr.figures.learning_curves(run).show()
    tr.figures.learning_curves_data(run).to_csv("curves.csv")

Each function takes a ``Run`` and returns a Plotly figure. The function with the suffix ``_data``
returns the data frame that the figure draws.
"""

from analysis import *  # noqa: F403
from analysis import __all__ as __all__
