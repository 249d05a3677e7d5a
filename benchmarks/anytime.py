"""Anytime curves as an SVG: the regret of searches against the compute, with bands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

Step = tuple[float, float]
"""A fraction of the compute, and the regret from there on."""

MOST = 0.3
"""The fraction of the compute at which the curves end."""

_SETTLED = 0.05
"""The panels are as high as the medians from here on; before, the first trials decide."""

_PLACES = np.linspace(0.01, MOST, 59)
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 300, 200, 48, 34, 26
_COLUMNS = 3
_CAPTION = "regret in points (median and quartiles), fraction of the compute"
_STYLE = 'font-family="sans-serif" font-size="12"'
# Okabe and Ito's colours, which are told apart with any colour vision.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")


class Curve(NamedTuple):
    """Median and quartiles of the regret at each of ``places``; infinite where unknown."""

    places: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray


def curve(searches: Sequence[Sequence[Step]]) -> Curve:
    """Return the curve over searches with one or more seeds.

    Args:
        searches: the steps of each, ascending in compute and descending in regret. Before its
            first step, the regret of a search is infinite.
    """
    rows = [[_regret(steps, place) for place in _PLACES] for steps in searches]
    values = np.array(rows)
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0, method="inverted_cdf")
    return Curve(_PLACES, median, low, high)


def _regret(steps: Sequence[Step], place: float) -> float:
    return min((regret for compute, regret in steps if compute <= place + 1e-9), default=math.inf)


def picture(panels: Mapping[str, Mapping[str, Curve]]) -> str:
    """Return an SVG document with a panel for each recording, and a line for each searcher.

    Args:
        panels: by the name of the recording, the curves by the name of the searcher. The regret is
            a difference of fractions, and drawn in points.
    """
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    colours = {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(names)}
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    width = columns * (_WIDTH + _LEFT) + _GAP
    panel = _HEIGHT + _TOP + _GAP
    height = rows * panel + 20 * math.ceil(len(names) / columns) + 2 * _GAP
    parts = [f'<rect width="{width}" height="{height}" fill="white"/>']
    for number, (title, curves) in enumerate(panels.items()):
        x = _LEFT + number % columns * (_WIDTH + _LEFT)
        y = _TOP + number // columns * panel
        drawn = "\n".join(_panel(title, curves, colours))
        parts.append(f'<g transform="translate({x} {y})">\n{drawn}\n</g>')
    parts += _legend(colours, columns, rows * panel + _GAP)
    parts.append(_text(_LEFT, height - 12, _CAPTION, "start"))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" {_STYLE}>'
    )
    return "\n".join([head, *parts, "</svg>\n"])


def _panel(title: str, curves: Mapping[str, Curve], colours: Mapping[str, str]) -> Iterator[str]:
    highest = _highest(curves)
    yield _text(0, -10, title, "start")
    yield f'<path d="M0 0V{_HEIGHT}H{_WIDTH}" fill="none" stroke="black"/>'
    for percent in range(0, round(100 * MOST) + 1, 10):
        x = percent / (100 * MOST) * _WIDTH
        yield _text(x, _HEIGHT + 16, f"{percent} %", "middle")
    for part in range(5):
        y = _HEIGHT * (1 - part / 4)
        yield _text(-6, y + 4, f"{100 * highest * part / 4:.3g}", "end")
    known = {name: found for name, found in curves.items() if np.isfinite(found.median).any()}
    for name, found in known.items():
        yield _band(found, highest, colours[name])
    for name, found in known.items():  # over the bands of all
        yield _line(found, highest, colours[name])


def _highest(curves: Mapping[str, Curve]) -> float:
    """Return the regret at the top of a panel: the largest median from ``_SETTLED`` on.

    It is rounded up to whole points, and at least one point.
    """
    medians = [found.median[found.places >= _SETTLED - 1e-9] for found in curves.values()]
    known = [value for value in np.concatenate(medians) if math.isfinite(value)]
    return max(math.ceil(100 * max(known, default=0.0)), 1) / 100


def _band(found: Curve, highest: float, colour: str) -> str:
    """Return the quartiles, from where the median is known."""
    points = [*_points(found, found.low, highest), *reversed(_points(found, found.high, highest))]
    return f'<polygon points="{" ".join(points)}" fill="{colour}" opacity="0.15"/>'


def _line(found: Curve, highest: float, colour: str) -> str:
    """Return the median, from where it is known."""
    points = " ".join(_points(found, found.median, highest))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _points(found: Curve, values: np.ndarray, highest: float) -> list[str]:
    known = np.isfinite(found.median)
    xs = found.places[known] / MOST * _WIDTH
    ys = _HEIGHT * (1 - np.minimum(values[known], highest) / highest)
    return [f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True)]


def _legend(colours: Mapping[str, str], columns: int, top: float) -> Iterator[str]:
    for number, (name, colour) in enumerate(colours.items()):
        x = _LEFT + number % columns * (_WIDTH + _LEFT)
        y = top + 20 * (number // columns)
        yield f'<path d="M{x} {y - 4}h24" stroke="{colour}" stroke-width="3"/>'
        yield _text(x + 30, y, name, "start")


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
