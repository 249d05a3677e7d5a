"""Figures and reports of stored runs. They read the run's tables and need neither PyTorch nor Ray.

    from analysis import load_run, sensitivity, sensitivity_data
    run = load_run("runs/r1")
    sensitivity(run).show()
    sensitivity_data(run).to_csv("sensitivity.csv")

Every figure is a function of a ``Run`` that returns a Plotly figure; the function of the same name
with the suffix ``_data`` returns the numbers that it draws as a data frame.

The sub-packages build on each other: ``stored`` reads a run, ``surrogate`` fits models to its
trials, ``figures`` plots both, ``pages`` holds the common parts of the HTML pages, and ``report``
and ``comparison`` assemble pages. A name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # type checkers and editors need static imports
    from analysis.figures.best_so_far import best_so_far as best_so_far
    from analysis.figures.best_so_far import best_so_far_data as best_so_far_data
    from analysis.figures.by_method import best_so_far_by as best_so_far_by
    from analysis.figures.by_method import best_so_far_by_data as best_so_far_by_data
    from analysis.figures.catalogue import write_figures as write_figures
    from analysis.figures.choices import choices as choices
    from analysis.figures.choices import choices_data as choices_data
    from analysis.figures.cost import cost as cost
    from analysis.figures.cost import cost_data as cost_data
    from analysis.figures.dynamics import alignment as alignment
    from analysis.figures.dynamics import alignment_data as alignment_data
    from analysis.figures.dynamics import calibration as calibration
    from analysis.figures.dynamics import calibration_data as calibration_data
    from analysis.figures.dynamics import groups as groups
    from analysis.figures.dynamics import groups_data as groups_data
    from analysis.figures.dynamics import law_weights as law_weights
    from analysis.figures.dynamics import law_weights_data as law_weights_data
    from analysis.figures.dynamics import noise_ratios as noise_ratios
    from analysis.figures.dynamics import noise_ratios_data as noise_ratios_data
    from analysis.figures.dynamics import sals_epsilon as sals_epsilon
    from analysis.figures.dynamics import sals_epsilon_data as sals_epsilon_data
    from analysis.figures.dynamics import sals_sharpness as sals_sharpness
    from analysis.figures.dynamics import sals_sharpness_data as sals_sharpness_data
    from analysis.figures.fitting import fitting as fitting
    from analysis.figures.fitting import fitting_data as fitting_data
    from analysis.figures.importance import importance as importance
    from analysis.figures.importance import importance_data as importance_data
    from analysis.figures.learning_curves import learning_curves as learning_curves
    from analysis.figures.learning_curves import learning_curves_data as learning_curves_data
    from analysis.figures.memorisation import memorisation as memorisation
    from analysis.figures.memorisation import memorisation_data as memorisation_data
    from analysis.figures.pairs import by_option as by_option
    from analysis.figures.pairs import by_option_data as by_option_data
    from analysis.figures.pairs import important_pairs as important_pairs
    from analysis.figures.parallel import parallel as parallel
    from analysis.figures.parallel import parallel_data as parallel_data
    from analysis.figures.reliability import reliability as reliability
    from analysis.figures.reliability import reliability_data as reliability_data
    from analysis.figures.rung_check import rung_check as rung_check
    from analysis.figures.rung_check import rung_check_data as rung_check_data
    from analysis.figures.selection import selection as selection
    from analysis.figures.selection import selection_data as selection_data
    from analysis.figures.sensitivity import sensitivity as sensitivity
    from analysis.figures.sensitivity import sensitivity_data as sensitivity_data
    from analysis.figures.sensitivity_3d import sensitivity_3d as sensitivity_3d
    from analysis.figures.sweep import sweep as sweep
    from analysis.figures.sweep import sweep_data as sweep_data
    from analysis.report.label_set_table import results_table as results_table
    from analysis.report.page import write_report as write_report
    from analysis.stored.ranking import baseline as baseline
    from analysis.stored.ranking import ranking as ranking
    from analysis.stored.ranking import winner as winner
    from analysis.stored.run import Run as Run
    from analysis.stored.run import load_run as load_run
    from analysis.surrogate.robust_region import plateau_settings as plateau_settings
    from analysis.surrogate.robust_region import robust_region as robust_region

_PUBLIC = {
    "figures.best_so_far": ("best_so_far", "best_so_far_data"),
    "figures.by_method": ("best_so_far_by", "best_so_far_by_data"),
    "figures.catalogue": ("write_figures",),
    "figures.choices": ("choices", "choices_data"),
    "figures.cost": ("cost", "cost_data"),
    "figures.dynamics": (
        "alignment",
        "alignment_data",
        "calibration",
        "calibration_data",
        "groups",
        "groups_data",
        "law_weights",
        "law_weights_data",
        "noise_ratios",
        "noise_ratios_data",
        "sals_epsilon",
        "sals_epsilon_data",
        "sals_sharpness",
        "sals_sharpness_data",
    ),
    "figures.fitting": ("fitting", "fitting_data"),
    "figures.importance": ("importance", "importance_data"),
    "figures.learning_curves": ("learning_curves", "learning_curves_data"),
    "figures.memorisation": ("memorisation", "memorisation_data"),
    "figures.pairs": ("by_option", "by_option_data", "important_pairs"),
    "figures.parallel": ("parallel", "parallel_data"),
    "figures.reliability": ("reliability", "reliability_data"),
    "figures.rung_check": ("rung_check", "rung_check_data"),
    "figures.selection": ("selection", "selection_data"),
    "figures.sensitivity": ("sensitivity", "sensitivity_data"),
    "figures.sensitivity_3d": ("sensitivity_3d",),
    "figures.sweep": ("sweep", "sweep_data"),
    "report.label_set_table": ("results_table",),
    "report.page": ("write_report",),
    "stored.ranking": ("baseline", "ranking", "winner"),
    "stored.run": ("Run", "load_run"),
    "surrogate.robust_region": ("plateau_settings", "robust_region"),
}
_MODULE = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = sorted(_MODULE)


def __getattr__(name: str) -> object:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
