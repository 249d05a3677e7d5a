"""Every figure of a run, and the numbers that it draws.

    import tune_robust as tr

    run = tr.load_run("runs/first")
    tr.figures.learning_curves(run).show()
    tr.figures.learning_curves_data(run).to_csv("curves.csv")

Each figure takes a ``Run`` and returns a Plotly figure; the function with ``_data`` behind its name
returns the data frame that the figure draws.
"""

from analysis import *  # noqa: F403
from analysis import __all__ as __all__
