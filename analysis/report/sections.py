"""The sections of a report, in their order, with explanations."""

from __future__ import annotations

import plotly.graph_objects as go

from analysis.figures.best_so_far import best_so_far
from analysis.figures.by_method import best_so_far_by
from analysis.figures.choices import choices, chosen_path
from analysis.figures.cost import cost
from analysis.figures.dynamics import DYNAMICS, calibration_panels, dynamic_panels
from analysis.figures.fitting import fitting_panels
from analysis.figures.importance import importance
from analysis.figures.leaders import leaders
from analysis.figures.learning_curves import learning_curves
from analysis.figures.memorisation import memorisation
from analysis.figures.pairs import by_option, important_pairs, option_path
from analysis.figures.panels import Panel, panels_plot
from analysis.figures.parallel import parallel
from analysis.figures.reliability import reliability, reliability_data
from analysis.figures.rung_check import rung_check, rung_check_info
from analysis.figures.selection import selection, selection_data, selectors
from analysis.figures.sensitivity import SensitivityInfo, plot_sensitivity, sensitivity_info
from analysis.figures.sensitivity_3d import plot_sensitivity_3d
from analysis.figures.sweep import sweep_panels, swept_path
from analysis.formatting import is_missing, near, number, plain
from analysis.pages.section import Section
from analysis.report.summary import Summary
from analysis.stored.noise import noise_rate
from analysis.stored.replicates import averaged, is_repeated
from analysis.stored.run import Run
from analysis.surrogate.importance import ImportanceInfo, importance_info
from analysis.surrogate.surface import more_trials

_MEANS = "Lines are means over the seeds, in bands of one standard deviation. "
_MORE = 12  # trials to add where no region stands out
_APART = 0.02  # smaller differences in memorised wrong labels are described as equal

# Metrics for a second surface, the most explanatory first, and a guide to each.
_WHY = {
    "noisy_fit": "The second picture shows the fraction of wrong labels memorised at the same "
    "settings.",
    "test_accuracy": "The second picture shows test accuracy, which is not used for selection.",
}


def find_sections(run: Run, summary: Summary, surface: SensitivityInfo) -> list[Section]:
    """Return the sections for which this run has data."""
    sections = []
    if (matters := importance_info(run)).problem is None:
        sections.append(_importance(run, matters))
    if any(dimension.is_numeric for dimension in averaged(run).dimensions):
        sections += _surfaces(run, surface)
        sections += _pairs(run, surface)
    sections += _choices(run)
    sections += _memorisation(run, summary)
    return [
        *sections,
        *_methods(run),
        *_inside(run),
        _learning_curves(run, summary),
        _best_so_far(run, summary),
        *_rungs(run),
        *_selection(run),
    ]


def _memorisation(run: Run, summary: Summary) -> list[Section]:
    """Return a text on what the winner learned, in comparison with the baseline."""
    best, reference = summary.winner, summary.baseline
    if best is None or is_missing(best.noisy_fit):
        return []
    heading, guide = (
        f"Does the best {'trial' if best.seeds == 1 else 'setting'} memorise wrong labels?",
        (f"At its scored epoch it repeats {best.noisy_fit:.0%} of the wrong training labels."),
    )
    if reference is not None and not best.is_baseline and not is_missing(reference.noisy_fit):
        fits = f"{best.noisy_fit:.0%} of the wrong labels, the baseline {reference.noisy_fit:.0%}"
        if best.noisy_fit < reference.noisy_fit - _APART:
            heading = "Why it wins: it memorises fewer wrong labels"
            guide = f"The winner repeats {fits}."
        elif best.noisy_fit > reference.noisy_fit + _APART:
            heading = "The winner memorises more wrong labels"
            guide = f"The winner repeats {fits}: memorisation does not explain why it wins."
        else:
            heading = "The winner memorises as many wrong labels as the baseline"
            guide = f"The winner repeats {fits}: memorisation does not explain why it wins."
    guide += (
        " The solid line is the fraction of correct labels learned, the dashed line that of wrong "
        "labels: a model that repeats a wrong label has memorised it."
    )
    return [Section("memorisation", heading, guide, [("memorisation", memorisation(run))])]


def _learning_curves(run: Run, summary: Summary) -> Section:
    guide = (
        "Each line is a trial over its compute in gradient evaluations, which are passes over the "
        "training set: an epoch of SGD takes one, of SAM two. "
    )
    guide += _of_seeds(summary) + _of_baselines(run)
    guide += "; faint lines were stopped early." if summary.counts.get("stopped") else "."
    figures = [("learning-curves", learning_curves(run))]
    return Section("learning-curves", "Learning curves of all trials", guide, figures)


def _of_seeds(summary: Summary) -> str:
    best = summary.winner
    if best is None:
        return "No trial has ended yet"
    if best.seeds > 1:
        return f"The {best.seeds} blue lines are the best setting, one for each seed"
    return "The blue line is the best trial"


def _of_baselines(run: Run) -> str:
    baselines = int((run.trials["origin"] == "baseline").sum())
    if not baselines:
        return ""
    return ", the dashed orange " + ("one the baseline" if baselines == 1 else "ones the baselines")


def _best_so_far(run: Run, summary: Summary) -> Section:
    guide = (
        "The blue steps are the best finished trial so far; where they end flat, more trials "
        "brought no improvement. The bar below shows what the compute was used for"
    )
    guide += ", and what stopping early has saved." if summary.counts.get("stopped") else "."
    figures = [("best-so-far", best_so_far(run)), ("cost", cost(run))]
    heading = "Was the search worth its compute?"
    return Section("best-so-far", heading, guide, figures, wide=True)


def _choices(run: Run) -> list[Section]:
    sections = []
    if (path := option_path(run)) is not None:
        sections.append(
            Section(
                "by-option",
                f"Does it depend on {plain(path)}?",
                "A line is the expected score under one option, the band its 90% interval. Where "
                "bands overlap, the trials do not tell the options apart. Faint dots are trials "
                "that did not finish.",
                [("by-option", by_option(run))],
            )
        )
    if chosen_path(run) is not None:
        best = (
            "the best setting of its row by the mean over the seeds, with one standard deviation"
            if is_repeated(run)
            else "the best of its row that finished"
        )
        sections.append(
            Section(
                "choices",
                f"Which {plain(chosen_path(run))} does best?",
                f"Each dot is a trial, the diamond {best}. The steps show how good each was after "
                "how much compute of its own.",
                [("choices", choices(run)), ("best-so-far-by-method", best_so_far_by(run))],
            )
        )
    return sections


def _methods(run: Run) -> list[Section]:
    """Return sections on training: the best trial of each method, and each value of a grid."""
    sections = []
    means, best = (_MEANS, "setting") if is_repeated(run) else ("", "trial")
    panels = fitting_panels(run) if len(leaders(run)) > 1 else []
    if panels:
        sections.append(
            Section(
                "fitting",
                f"How each method's best {best} learns",
                f"{means}A good method memorises few wrong labels and keeps the gap to the correct "
                "ones wide; test accuracy is not used for selection.",
                _one_by_one("fitting", panels),
                folded=True,
            )
        )
    panels = sweep_panels(run)
    if panels:
        sections.append(
            Section(
                "sweep",
                f"Training at each {plain(swept_path(run))}",
                f"{means}A line is the best {best} at one value: the fractions of wrong and of "
                "correct labels that it learns and its test accuracy (not used for selection).",
                _one_by_one("sweep", panels),
                folded=True,
            )
        )
    return sections


def _inside(run: Run) -> list[Section]:
    """Return a section on the dynamics of the methods, if trials recorded them."""
    shown = {name: dynamic_panels(run, name) for name in DYNAMICS}
    figures = [figure for name, panels in shown.items() for figure in _one_by_one(name, panels)]
    guide = " ".join(DYNAMICS[name].guide for name, panels in shown.items() if panels)
    if panels := calibration_panels(run):
        figures += _one_by_one("calibration", panels)
        guide += (
            " The calibration error is the difference between the model's confidence and its "
            "accuracy on the test images: lower is better. Training on noisy labels lowers "
            "confidence, which raises it too."
        )
    if len(reliability_data(run)):
        figures.append(("reliability", reliability(run)))
        guide += (
            " In the reliability diagram, dots above the dotted line are models that are right "
            "more often than their confidence says (underconfident); dots below it are "
            "overconfident. The area of a dot is the fraction of the images."
        )
    if not figures:
        return []
    return [Section("inside", "Inside the methods", guide.strip(), figures, folded=True)]


def _one_by_one(name: str, panels: list[Panel]) -> list[tuple[str, go.Figure]]:
    """Return a figure per panel, so that they stack on a narrow screen."""
    return [
        (name if len(panels) == 1 else f"{name}-{place}", panels_plot([panel], "", 340))
        for place, panel in enumerate(panels, 1)
    ]


def _rungs(run: Run) -> list[Section]:
    check = rung_check_info(run)
    stopped = (run.trials["status"] == "stopped").any()
    if check is None or not check.enough or not stopped:
        return []
    guide = (
        "A dot near 1 means that the ranking of the trials at this rung predicts their ranking at "
        "the end; where the bar, the 95% interval, contains 0, there is no evidence that it does. "
        f"Here {plain(check.reading)}"
    )
    heading = "Does early stopping keep the right trials?"
    return [Section("rung-check", heading, guide, [("rung-check", rung_check(run))])]


def _importance(run: Run, info: ImportanceInfo) -> Section:
    guide = (
        "A long bar means that the score depends on this setting: blue, the fraction that it "
        "explains of all differences between the trials it applies to"
    )
    if info.table["to_the_top"].notna().any():
        guide += (
            f"; orange, how much it determines which trials are the best {info.best:.0%}; grey, "
            "the same among the better half alone"
        )
    untold = info.table[info.table["overall"].isna() & info.table["to_the_top"].isna()]
    if len(untold):
        guide += f" (too few trials to tell for {', '.join(map(plain, untold['path']))})"
    figures = [("importance", importance(run)), ("parallel", parallel(run))]
    guide += (
        ". Beside it each line is a trial through its settings down to its score: where the "
        "coloured ones gather, settings are good."
    )
    return Section("importance", "Which settings matter?", guide, figures)


def _selection(run: Run) -> list[Section]:
    if noise_rate(run) in (None, 0) or selection_data(run).empty:
        return []
    guide = (
        "Each dot is a finished trial. The closer the dots lie to a rising line (a falling one for "
        "the loss), the better the trial that is selected. This uses the true labels in hindsight: "
        "the winner above was selected without them."
    )
    heading = "What did selecting by noisy labels cost?"
    figures = [(f"selection-{name}", selection(run, name)) for name in selectors(run)]
    return [Section("selection", heading, guide, figures, folded=True)]


def _surfaces(run: Run, info: SensitivityInfo) -> list[Section]:
    infos, guide = [("surface", info)], _surface_guide(run, info)
    why = next((n for n in _WHY if n in run.epochs and run.epochs[n].notna().any()), None)
    if info.surface.problem is None and why is not None:
        infos.append(("surface-why", sensitivity_info(run, why)))
        guide = f"{guide} {_WHY[why]}"
    flat = [(name, plot_sensitivity(each)) for name, each in infos]
    section = Section("sensitivity", _surface_heading(info), guide, flat)
    if info.surface.problem is not None or info.surface.y is None:
        return [section]
    turned = [(f"{name}-3d", plot_sensitivity_3d(each)) for name, each in infos]
    guide = (
        "Drag to turn. Height is the expected value; the grey sheets are the ends of its 90% "
        "interval."
    )
    return [section, Section("sensitivity-3d", "The same in 3-D", guide, turned, folded=True)]


def _pairs(run: Run, main: SensitivityInfo) -> list[Section]:
    """Return surfaces of other pairs of settings, without those that have too few trials."""
    infos = [sensitivity_info(run, None, x, y) for x, y in important_pairs(run)[1:]]
    figures = [
        (f"surface-{plain(info.surface.across.path)}-{plain(info.surface.up.path)}", info)
        for info in infos
        if info.surface.problem is None and info.surface.y is not None
    ]
    if not figures or main.surface.problem is not None:
        return []
    guide = (
        "Each picture is read like the one above, for another two settings. All of them are views "
        "of one model over all searched settings."
    )
    flat = [(name, plot_sensitivity(info)) for name, info in figures]
    return [Section("pairs", "How other settings work together", guide, flat)]


def _surface_heading(info: SensitivityInfo) -> str:
    kind = info.surface.kind.items()
    shared = [f" ({plain(path)} {plain(number(value))})" for path, value in kind]
    return f"Which settings work?{''.join(shared)}"


def _surface_guide(run: Run, info: SensitivityInfo) -> str:
    if info.surface.problem is not None:
        return "Dots are trials."
    full = f"{number(info.surface.budget)} gradient evaluations"
    close = near(run.objective.metric)
    nothing = f"No region of good settings stands out yet. {more_trials(run, _MORE)}".rstrip()
    if info.surface.y is None:
        return f"The line is the expected score after {full}, the band its 90% interval" + (
            f"; the grey stretch is expected to be within {close} of the best."
            if info.box
            else ". " + nothing
        )
    return (
        f"Colour is the expected score after {full}: brighter is better, paler is less certain. "
        "Dots are trials. "
        + (
            f"Inside the outline it is expected to be within {close} of the best."
            if info.box
            else nothing
        )
    )
