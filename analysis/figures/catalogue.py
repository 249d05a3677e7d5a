"""All figures and their data by name, and as files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio

from analysis.figures.best_so_far import best_so_far, best_so_far_data
from analysis.figures.by_method import best_so_far_by, best_so_far_by_data
from analysis.figures.choices import choices, choices_data
from analysis.figures.cost import cost, cost_data
from analysis.figures.dynamics import (
    alignment,
    alignment_data,
    calibration,
    calibration_data,
    groups,
    groups_data,
    law_weights,
    law_weights_data,
    noise_ratios,
    noise_ratios_data,
    sals_epsilon,
    sals_epsilon_data,
    sals_sharpness,
    sals_sharpness_data,
)
from analysis.figures.fitting import fitting, fitting_data
from analysis.figures.importance import importance, importance_data
from analysis.figures.learning_curves import learning_curves, learning_curves_data
from analysis.figures.memorisation import memorisation, memorisation_data
from analysis.figures.pairs import by_option, by_option_data, important_pairs
from analysis.figures.parallel import parallel, parallel_data
from analysis.figures.reliability import reliability, reliability_data
from analysis.figures.rung_check import rung_check, rung_check_data
from analysis.figures.selection import selection, selection_data
from analysis.figures.sensitivity import sensitivity, sensitivity_data
from analysis.figures.sensitivity_3d import sensitivity_3d
from analysis.figures.sweep import sweep, sweep_data
from analysis.stored.run import Run, require_epochs
from tune_robust.errors import UserError
from tune_robust.files import write_aside

FORMATS = ("png", "svg", "pdf", "html", "csv")
_WIDTH, _SCALE = 900, 2  # width in pixels, and the resolution of a PNG in dots per pixel
_PAPER = "#ffffff"


class Drawable(NamedTuple):
    """A figure of a run, and its data as a table."""

    figure: Callable[[Run], go.Figure]
    data: Callable[[Run], pd.DataFrame]


FIGURES = {
    "alignment": Drawable(alignment, alignment_data),
    "best-so-far": Drawable(best_so_far, best_so_far_data),
    "best-so-far-by-method": Drawable(best_so_far_by, best_so_far_by_data),
    "by-option": Drawable(by_option, by_option_data),
    "calibration": Drawable(calibration, calibration_data),
    "choices": Drawable(choices, choices_data),
    "cost": Drawable(cost, cost_data),
    "fitting": Drawable(fitting, fitting_data),
    "groups": Drawable(groups, groups_data),
    "importance": Drawable(importance, importance_data),
    "law-weights": Drawable(law_weights, law_weights_data),
    "learning-curves": Drawable(learning_curves, learning_curves_data),
    "memorisation": Drawable(memorisation, memorisation_data),
    "noise-ratios": Drawable(noise_ratios, noise_ratios_data),
    "parallel": Drawable(parallel, parallel_data),
    "reliability": Drawable(reliability, reliability_data),
    "rung-check": Drawable(rung_check, rung_check_data),
    "sals-epsilon": Drawable(sals_epsilon, sals_epsilon_data),
    "sals-sharpness": Drawable(sals_sharpness, sals_sharpness_data),
    "selection": Drawable(selection, selection_data),
    "sensitivity": Drawable(sensitivity, sensitivity_data),
    "sensitivity-3d": Drawable(sensitivity_3d, sensitivity_data),
    "sweep": Drawable(sweep, sweep_data),
}


def run_figures(run: Run) -> dict[str, Drawable]:
    """Return the figures for which this run has data, with a surface per important pair."""
    shown = dict(FIGURES)
    for x, y in important_pairs(run)[1:]:
        shown[f"sensitivity-{x}-{y}"] = Drawable(
            partial(sensitivity, x=x, y=y), partial(sensitivity_data, x=x, y=y)
        )
    return {name: each for name, each in shown.items() if len(each.data(run))}


def write_figures(run: Run, folder: str | Path, kind: str = "html") -> list[Path]:
    """Write every figure of a run into ``folder``, as ``<name>.<kind>``, and return the paths.

    ``kind``: png, svg or pdf (drawn by Chrome or Chromium, through Plotly's Kaleido), html (one
    self-contained page each) or csv (the figure's data).

    Raises:
        UserError: The kind is unknown, the browser is missing, or the folder cannot be written.
    """
    if kind not in FORMATS:
        raise UserError(f"there is no format {kind!r}. Choose one of {', '.join(FORMATS)}.")
    require_epochs(run)
    folder = Path(folder).expanduser()
    figures = run_figures(run)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}.{kind}" for name in figures]
        for path, content in zip(paths, _contents(run, figures, kind), strict=True):
            write_aside(path, content)
    except OSError as error:
        raise UserError(
            f"cannot write to {folder}: {error.strerror}. Choose another folder with --figures."
        ) from error
    return paths


def _contents(run: Run, figures: dict[str, Drawable], kind: str) -> list[bytes]:
    if kind == "csv":
        return [each.data(run).to_csv(index=False).encode() for each in figures.values()]
    drawn = [each.figure(run) for each in figures.values()]
    for figure in drawn:
        figure.update_layout(paper_bgcolor=_PAPER, plot_bgcolor=_PAPER)
    if kind == "html":
        return [figure.to_html(include_plotlyjs=True).encode() for figure in drawn]
    return _images(drawn, kind)


def _images(figures: list[go.Figure], kind: str) -> list[bytes]:
    """Draw all figures in one browser, since starting it takes longest."""
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{place}.{kind}" for place in range(len(figures))]
        try:
            pio.write_images(figures, files, format=kind, width=_WIDTH, scale=_SCALE)
        except (ImportError, ValueError, RuntimeError) as error:
            raise UserError(
                f"{kind} images need Kaleido and a Chrome or Chromium browser "
                f"({_first_line(error)}). Install them with `pip install 'tune-robust[images]'` "
                "and `plotly_get_chrome`, or write --format html or csv, which need neither."
            ) from error
        return [file.read_bytes() for file in files]


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason")
