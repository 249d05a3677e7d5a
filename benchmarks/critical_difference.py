"""The critical-difference diagram of Demsar 2006 as an SVG: average ranks and groups of methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

from method_comparison import Ranking

_LEFT, _RIGHT, _AXIS, _ROW = 170, 590, 64, 20
_WIDTH = 760
_STYLE = 'font-family="sans-serif" font-size="13"'


def picture(ranking: Ranking, names: Mapping[str, str]) -> str:
    """Return an SVG document: an axis of ranks, a mark per method, a bar per clique.

    Args:
        ranking: The average ranks of the methods; 1, the best, is on the left.
        names: The label of each method; by default its own name.
    """
    count = len(ranking.ranks)

    def x(rank: float) -> float:
        return _LEFT + (rank - 1) / max(1, count - 1) * (_RIGHT - _LEFT)

    bars = [(ranking.ranks[clique[0]], ranking.ranks[clique[-1]]) for clique in ranking.cliques]
    first_label = _AXIS + 18 + 8 * len(bars)
    half = (count + 1) // 2
    height = first_label + _ROW * half + 12
    parts = [*_scale(count, x), *_length(ranking.critical_difference, count, x)]
    for number, (low, high) in enumerate(bars):
        y = _AXIS + 12 + 8 * number
        parts.append(_line(x(low) - 3, y, x(high) + 3, y, width=4))
    for place, (method, rank) in enumerate(ranking.ranks.items()):
        left = place < half
        row = place if left else count - 1 - place
        label = f"{names.get(method, method)} ({rank:.1f})"
        parts += _mark(x(rank), first_label + _ROW * row, label, left=left)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" {_STYLE}>'
    )
    background = f'<rect width="{_WIDTH}" height="{height}" fill="white"/>'
    return "\n".join([head, background, *parts, "</svg>\n"])


def _scale(count: int, x: Callable[[float], float]) -> list[str]:
    parts = [_line(x(1), _AXIS, x(count), _AXIS)]
    for rank in range(1, count + 1):
        parts.append(_line(x(rank), _AXIS - 6, x(rank), _AXIS))
        parts.append(_text(x(rank), _AXIS - 10, str(rank), "middle"))
    return parts


def _length(difference: float, count: int, x: Callable[[float], float]) -> list[str]:
    """Draw the critical difference to scale above the axis, if it fits."""
    label = f"critical difference {difference:.1f}"
    if difference > count - 1:
        return [_text(x(1), 24, f"{label}, wider than the axis", "start")]
    end = x(1 + difference)
    ends = [_line(at, 16, at, 24) for at in (x(1), end)]
    return [_line(x(1), 20, end, 20), *ends, _text(end + 8, 24, label, "start")]


def _mark(at: float, y: float, label: str, *, left: bool) -> list[str]:
    side = _LEFT - 12 if left else _RIGHT + 12
    anchor = "end" if left else "start"
    text = _text(side - 4 if left else side + 4, y + 4, label, anchor)
    return [_line(at, _AXIS, at, y), _line(at, y, side, y), text]


def _line(x1: float, y1: float, x2: float, y2: float, width: float = 1) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="black" stroke-width="{width:g}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
