"""Figures and reports from a stored run. Reads its tables alone; needs neither PyTorch nor Ray.

    from analysis import load_run, sensitivity, sensitivity_data
    run = load_run("runs/r1")
    sensitivity(run).show()
    sensitivity_data(run).to_csv("sensitivity.csv")

Every figure takes a ``Run`` and gives a Plotly figure; with ``_data`` behind its name, the numbers
that it draws as a data frame.
"""

from analysis.best_so_far import best_so_far, best_so_far_data
from analysis.by_method import best_so_far_by, best_so_far_by_data
from analysis.choices import choices, choices_data
from analysis.cost import cost, cost_data
from analysis.dynamics import (
    calibration,
    calibration_data,
    groups,
    groups_data,
    law_weights,
    law_weights_data,
    sals_epsilon,
    sals_epsilon_data,
)
from analysis.figures import write_figures
from analysis.fitting import fitting, fitting_data
from analysis.importance import importance, importance_data
from analysis.label_set_table import results_table
from analysis.learning_curves import learning_curves, learning_curves_data
from analysis.memorisation import memorisation, memorisation_data
from analysis.pairs import by_option, by_option_data, important_pairs
from analysis.parallel import parallel, parallel_data
from analysis.reliability import reliability, reliability_data
from analysis.report import write_report
from analysis.robust_region import plateau_settings, robust_region
from analysis.run import Run, load_run
from analysis.rung_check import rung_check, rung_check_data
from analysis.selection import selection, selection_data
from analysis.sensitivity import sensitivity, sensitivity_data
from analysis.sensitivity_3d import sensitivity_3d
from analysis.sweep import sweep, sweep_data
from analysis.winner import baseline, ranking, winner

__all__ = [
    "Run",
    "baseline",
    "best_so_far",
    "best_so_far_by",
    "best_so_far_by_data",
    "best_so_far_data",
    "by_option",
    "by_option_data",
    "calibration",
    "calibration_data",
    "choices",
    "choices_data",
    "cost",
    "cost_data",
    "fitting",
    "fitting_data",
    "groups",
    "groups_data",
    "importance",
    "importance_data",
    "important_pairs",
    "law_weights",
    "law_weights_data",
    "learning_curves",
    "learning_curves_data",
    "load_run",
    "memorisation",
    "memorisation_data",
    "parallel",
    "parallel_data",
    "plateau_settings",
    "ranking",
    "reliability",
    "reliability_data",
    "results_table",
    "robust_region",
    "rung_check",
    "rung_check_data",
    "sals_epsilon",
    "sals_epsilon_data",
    "selection",
    "selection_data",
    "sensitivity",
    "sensitivity_3d",
    "sensitivity_data",
    "sweep",
    "sweep_data",
    "winner",
    "write_figures",
    "write_report",
]
