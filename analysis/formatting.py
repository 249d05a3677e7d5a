"""Numbers and names as a reader wants them: fractions in percent, three digits, plurals."""

from __future__ import annotations

import html
import math
from typing import Any

from tune_robust import formatting
from tune_robust.metrics import metric

MISSING = "–"


_DIMENSIONS = {
    "sam.rho": "how far SAM looks around the weights",
    "saner.alpha": "what SANER keeps of group B: 1 is SAM, 0 drops it",
    "saner.k": "epochs until SANER's alpha is reached",
    "law.gamma": "how strongly LAW weights samples down",
    "sals.alpha": "strength of SALS's label smoothing",
    "optimizer.lr": "learning rate",
}


def dimension_hint(path: str) -> str:
    """A few words on what a searched path does; empty for one without."""
    return _DIMENSIONS.get(path, "")


def is_missing(value: Any) -> bool:
    """None and NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def number(value: Any) -> str:
    """Three significant digits, whole numbers whole, text as it is."""
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
    """A metric's value: a fraction as ``97.2%``, anything else as a number."""
    if is_missing(value):
        return MISSING
    return f"{100 * value:.1f}%" if metric(name).is_fraction else number(value)


def difference(name: str, value: float) -> str:
    """How far two values of a metric lie apart: ``13.1 points``."""
    return f"{100 * value:.1f} points" if metric(name).is_fraction else number(value)


def near(name: str) -> str:
    """What counts as close to the best in a metric: ``one point``, or a hundredth of it."""
    return "one point" if metric(name).is_fraction else "1%"


def duration(seconds: float) -> str:
    """``45 s``, ``3 min``, ``2.5 h``."""
    if is_missing(seconds):
        return MISSING
    return formatting.duration(seconds)


def plain(text: Any) -> str:
    """Text that Plotly and HTML show as it is, whatever it holds."""
    return html.escape(str(text))


def sentence_case(text: str) -> str:
    """The first letter large, the others as they are."""
    return text[:1].upper() + text[1:]
