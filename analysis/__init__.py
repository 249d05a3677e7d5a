"""Figures and reports from a stored run. Reads its tables alone; needs neither PyTorch nor Ray.

    from analysis import load_run, sensitivity, sensitivity_data
    run = load_run("runs/r1")
    sensitivity(run).show()
    sensitivity_data(run).to_csv("sensitivity.csv")

Every figure takes a ``Run`` and gives a Plotly figure; with ``_data`` behind its name, the numbers
that it draws as a data frame.

From the ground up: ``stored`` reads a run, ``surrogate`` fits what its trials say of settings not
tried, ``figures`` draw both, ``pages`` frame HTML, and ``report`` and ``comparison`` put pages
together. A name is imported when it is first used.
"""

from importlib import import_module

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
