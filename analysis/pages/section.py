"""A section of a page: a heading, a guide to the figures, and the figures."""

from __future__ import annotations

from typing import NamedTuple

import plotly.graph_objects as go


class Section(NamedTuple):
    """A heading, a guide that explains the figures, and the figures, each with its name.

    Heading and guide are HTML. A folded section opens on request; in a wide one the figures lie
    below each other.
    """

    name: str
    heading: str
    guide: str
    figures: list[tuple[str, go.Figure]]
    folded: bool = False
    wide: bool = False


def section_html(section: Section) -> str:
    """Return a section with its figures, each drawn when the page opens."""
    plots = "".join(_plot(name, figure, section.guide) for name, figure in section.figures)
    beside = len(section.figures) > 1 and not section.wide
    arranged = " pair" if beside else ""
    inner = f'<p class="guide">{section.guide}</p><div class="plots{arranged}">{plots}</div>'
    if section.folded:
        return f'<details id="{section.name}"><summary>{section.heading}</summary>{inner}</details>'
    return f'<section id="{section.name}"><h2>{section.heading}</h2>{inner}</section>'


def _plot(name: str, figure: go.Figure, guide: str) -> str:
    # "<" would end the script element if a name held "</script>".
    data = figure.to_json().replace("<", "\\u003c")
    return (
        f'<div class="plot" id="plot-{name}" role="img" aria-label="{guide}" '
        f'style="min-height:{figure.layout.height}px"></div>'
        f'<script type="application/json" data-plot="plot-{name}">{data}</script>'
    )
