"""The report: one self-contained HTML page that opens with the answer and shows why."""

from __future__ import annotations

import base64
import gzip
from importlib.resources import files
from pathlib import Path
from string import Template

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from analysis.answer import find_answer
from analysis.label_set_table import label_set_guide, label_set_table
from analysis.run import Run, load_run, require_epochs
from analysis.sections import Section, find_sections
from analysis.sensitivity import sensitivity_info
from analysis.story import headline, lead, next_steps, notes, provenance, subtitle, tiles, winners
from analysis.trial_table import trial_table
from analysis.words import count, plain
from tune_robust.errors import UserError
from tune_robust.files import write_aside


def write_report(run_path: str | Path, out: str | Path | None = None) -> Path:
    """Write the report of the run stored at ``run_path`` and return its path.

    ``out`` defaults to ``report.html`` in the run's folder. The page needs no network and no other
    file; it is written aside and then renamed, so a reader never meets half of one.

    Raises:
        UserError: when the run cannot be read (see ``load_run``) or the file cannot be written.
    """
    run = load_run(run_path)
    out = Path(out).expanduser() if out else run.path / "report.html"
    write_page(out, render(run))
    return out


def render(run: Run) -> str:
    """The whole page as text."""
    require_epochs(run)
    answer = find_answer(run)
    surface = sensitivity_info(run)
    return fill_page(
        "report.html",
        title=plain(run.name),
        subtitle=subtitle(run),
        headline=headline(run, answer),
        lead=lead(run, answer),
        tiles=tiles(run, answer),
        winners=winners(run, answer),
        label_sets=_label_sets(run),
        notes=notes(run, answer),
        next_steps=next_steps(answer),
        sections="\n".join(
            section_html(section) for section in find_sections(run, answer, surface)
        ),
        table=trial_table(run),
        table_guide=f"{count(len(run.trials), 'trial')}, best first. Press a heading to sort by "
        "it; columns marked * need the test set or the true labels and chose nothing.",
        provenance=provenance(run),
    )


def _label_sets(run: Run) -> str:
    table = label_set_table(run)
    if not table:
        return ""
    return (
        f'<section id="label-sets"><h2>Every setting on every label set</h2><p class="guide">'
        f'{label_set_guide(run)}</p><div class="scroll" tabindex="0">{table}</div></section>'
    )


def section_html(section: Section) -> str:
    """A section with its figures, each drawn when the page opens."""
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


def fill_page(body: str, title: str, **parts: str) -> str:
    """A whole page: the template ``body``, filled with ``parts``, within what all pages share."""
    return _fill(
        "shell.html",
        title=title,
        style=_asset("page.css"),
        body=_fill(body, **parts),
        plotly=_packed_plotly(),
        script=_asset("page.js"),
    )


def _fill(template: str, **parts: str) -> str:
    return Template(_asset(template)).substitute(parts)


def _asset(name: str) -> str:
    return (files("analysis") / name).read_text(encoding="utf-8")


def _packed_plotly() -> str:
    """Plotly's script, zipped, as text: it is most of a page, and takes two fifths so."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


def write_page(path: Path, text: str) -> None:
    """Write a page, whole or not at all.

    Raises:
        UserError: when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, text.encode())
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}. Choose another file with --out."
        ) from error
