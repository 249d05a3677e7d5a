"""Figures and reports from a stored run. Reads its tables alone; needs neither PyTorch nor Ray.

    from analysis import load_run, sensitivity
    sensitivity(load_run("runs/r1")).show()

Every figure takes a ``Run`` and gives a Plotly figure.
"""

from analysis.best_so_far import best_so_far
from analysis.choices import choices
from analysis.importance import importance, importance_data
from analysis.learning_curves import learning_curves
from analysis.memorisation import memorisation
from analysis.pairs import by_option, by_option_data, important_pairs
from analysis.parallel import parallel, parallel_data
from analysis.report import write_report
from analysis.robust_region import plateau_settings, robust_region
from analysis.run import Run, load_run
from analysis.sensitivity import sensitivity
from analysis.sensitivity_3d import sensitivity_3d
from analysis.winner import baseline, ranking, winner

__all__ = [
    "Run",
    "baseline",
    "best_so_far",
    "by_option",
    "by_option_data",
    "choices",
    "importance",
    "importance_data",
    "important_pairs",
    "learning_curves",
    "load_run",
    "memorisation",
    "parallel",
    "parallel_data",
    "plateau_settings",
    "ranking",
    "robust_region",
    "sensitivity",
    "sensitivity_3d",
    "winner",
    "write_report",
]
