"""Format numbers and names for readers: fractions as percentages, numbers with three digits."""

from __future__ import annotations

import html
import math
from typing import Any

from tune_robust import formatting
from tune_robust.metrics import metric

MISSING = "–"


_DIMENSIONS = {
    "sam.rho": "radius of SAM's perturbation",
    "saner.alpha": "SANER's factor on group B: 1 is SAM, 0 removes it",
    "saner.k": "epochs until SANER's alpha is reached",
    "law.gamma": "how strongly LAW weights samples down",
    "sals.alpha": "strength of SALS's label smoothing",
    "optimizer.lr": "learning rate",
}


def dimension_hint(path: str) -> str:
    """Return a short description of a searched path; empty if there is none."""
    return _DIMENSIONS.get(path, "")


def is_missing(value: Any) -> bool:
    """Return whether a value is None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def number(value: Any) -> str:
    """Format with three significant digits; integers and text are unchanged."""
    if is_missing(value):
        return MISSING
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    value = float(value)
    if not math.isfinite(value):
        return str(value)
    if value == round(value) and abs(value) < 1e6:
        return f"{round(value):,}"
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def score(name: str, value: Any) -> str:
    """Format a metric's value: a fraction as ``97.2%``, anything else as a number."""
    if is_missing(value):
        return MISSING
    return f"{100 * value:.1f}%" if metric(name).is_fraction else number(value)


def difference(name: str, value: float) -> str:
    """Format the difference of two values of a metric: ``13.1 points``."""
    return f"{100 * value:.1f} points" if metric(name).is_fraction else number(value)


def near(name: str) -> str:
    """Return what counts as close to the best in a metric: ``one point``, or ``1 %`` of it."""
    return "one point" if metric(name).is_fraction else "1%"


def duration(seconds: float) -> str:
    """Format a duration: ``45 s``, ``3 min``, ``2.5 h``."""
    if is_missing(seconds):
        return MISSING
    return formatting.duration(seconds)


def plain(text: Any) -> str:
    """Escape text so that Plotly and HTML show it literally."""
    return html.escape(str(text))


def sentence_case(text: str) -> str:
    """Return the text with its first letter in upper case."""
    return text[:1].upper() + text[1:]
