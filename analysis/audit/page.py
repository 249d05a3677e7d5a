"""An audit of a run's labels as one self-contained HTML page, and its part of the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go

from analysis.figures.style import new_figure, plain_axes
from analysis.formatting import plain
from analysis.pages.frame import fill_page, write_page
from analysis.pages.section import Section, section_html
from tune_robust.formatting import count
from tune_robust.runs.audit import AuditSummary, Suspect

IN_REPORT = 24


def write_audit_page(audit: AuditSummary, out: Path) -> Path:
    """Write the page to ``out`` and return its path.

    Raises:
        UserError: The page cannot be written.
    """
    write_page(out, render(audit))
    return out


def render(audit: AuditSummary) -> str:
    """Return the whole page as HTML."""
    return fill_page(
        __package__,
        "audit.html",
        title=f"Labels of {plain(audit.run)}",
        subtitle=f"Audit of the labels of <b>{plain(audit.run)}</b>",
        headline=f"About {audit.rate:.1%} of the labels are wrong",
        lead=lead(audit),
        guide=_guide(audit),
        suspects=gallery(audit.suspects),
        sections=section_html(_transition(audit)),
    )


def report_section(audit: AuditSummary) -> str:
    """Return the section of a run's report, with the first two dozen images."""
    return (
        '<section id="labels"><h2>Which labels are probably wrong?</h2>'
        f'<p class="guide">{lead(audit)} These are the most suspicious images; '
        f"<code>audit/audit.html</code> in the run's folder has more.</p>"
        f"{gallery(audit.suspects[:IN_REPORT])}</section>"
    )


def lead(audit: AuditSummary) -> str:
    """Return the estimate and its source, as HTML."""
    if audit.folds:
        source = (
            f"{count(audit.folds, 'network')}, trained as {plain(audit.trials[0])} was, each "
            "without the images that it predicts"
        )
    else:
        source = f"the validation images by {plain(', '.join(audit.trials))}"
        if audit.confirmed:
            networks = count(audit.confirmed, "network")
            source += f" and by {networks} of the confirmation on validation images of other splits"
    text = (
        f"Estimated from the predictions of {source}: {audit.rate:.1%} of {audit.images:,} labels "
        f"are wrong (95% interval {audit.low:.1%} to {audit.high:.1%}, which does not cover "
        "systematic errors of the networks)."
    )
    if audit.truth is None:
        return text
    text += f" By the true labels*, {audit.truth.rate:.1%} are wrong"
    if audit.truth.average_precision is not None:
        text += f"; the average precision of this order is {audit.truth.average_precision:.2f}"
    return f"{text}."


def _guide(audit: AuditSummary) -> str:
    return (
        f"The {count(len(audit.suspects), 'image')} with the highest probability of a wrong label, "
        "each with its given label, an arrow and the likely label, then that probability, the part "
        "of the data and the image's position or file. <code>labels.csv</code> has all images."
    )


def gallery(suspects: Sequence[Suspect]) -> str:
    """Return pictures with given and likely labels, as HTML."""
    if not suspects:
        return "<p>No label is more likely wrong than right.</p>"
    return f'<div class="suspects">{"".join(map(_figure, suspects))}</div>'


def _figure(suspect: Suspect) -> str:
    name = plain(suspect.file or f"number {suspect.index}")
    picture = ""
    if suspect.png is not None:
        picture = f'<img src="data:image/png;base64,{suspect.png}" alt="{name}" loading="lazy">'
    return (
        f"<figure>{picture}<figcaption>{plain(suspect.given)} → <b>{plain(suspect.likely)}</b>"
        f"<span>{suspect.wrong:.0%} wrong</span><span>{suspect.part}</span><span>{name}</span>"
        "</figcaption></figure>"
    )


def _transition(audit: AuditSummary) -> Section:
    names = [plain(name) for name in audit.classes]
    figure = new_figure(height=min(900, 220 + 22 * len(names)))
    figure.add_trace(
        go.Heatmap(
            z=audit.transition,
            x=names,
            y=names,
            zmin=0,
            zmax=1,
            colorscale="Blues",
            colorbar={"tickformat": ".0%", "outlinewidth": 0},
            hovertemplate="true %{y}, given %{x}: %{z:.1%}<extra></extra>",
        )
    )
    plain_axes(figure)
    figure.update_xaxes(title_text="given label", type="category", showgrid=False)
    figure.update_yaxes(
        title_text="true class", type="category", autorange="reversed", showgrid=False
    )
    return Section(
        "transition",
        "How labels are confused",
        "The estimated probability of each given label, by true class. A perfect labelling has "
        "100% on the diagonal.",
        [("transition", figure)],
    )
