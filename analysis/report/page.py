"""The report: one self-contained HTML page with the summary at the top and the evidence below."""

from __future__ import annotations

from pathlib import Path

from analysis.audit.page import report_section
from analysis.figures.sensitivity import sensitivity_info
from analysis.formatting import plain
from analysis.pages.frame import fill_page, write_page
from analysis.pages.section import section_html
from analysis.report.headline import headline, lead
from analysis.report.label_set_table import (
    label_set_guide,
    label_set_heading,
    label_set_table,
)
from analysis.report.next_steps import next_steps
from analysis.report.notes import notes
from analysis.report.peak_and_plateau import peak_and_plateau
from analysis.report.provenance import provenance, subtitle
from analysis.report.sections import find_sections
from analysis.report.summary import summarise
from analysis.report.tiles import tiles
from analysis.report.trial_table import trial_table
from analysis.stored.replicates import is_repeated
from analysis.stored.run import Run, load_run, require_epochs
from tune_robust.formatting import count
from tune_robust.runs.audit import read_audit


def write_report(run: Run | str | Path, out: str | Path | None = None) -> Path:
    """Write the report of a run, or of the run stored at that path, and return the page's path.

    ``out`` defaults to ``report.html`` in the run's folder. The page needs no network and no other
    file; it is written aside and then renamed, so that readers never see a partial page.

    Raises:
        UserError: The run cannot be read (see ``load_run``), or the file cannot be written.
    """
    if not isinstance(run, Run):
        run = load_run(run)
    out = Path(out).expanduser() if out else run.path / "report.html"
    write_page(out, render(run))
    return out


def render(run: Run) -> str:
    """Return the whole page as HTML."""
    require_epochs(run)
    summary = summarise(run)
    surface = sensitivity_info(run)
    return fill_page(
        __package__,
        "report.html",
        title=plain(run.name),
        subtitle=subtitle(run),
        headline=headline(run, summary),
        lead=lead(run, summary),
        tiles=tiles(run, summary),
        peak_and_plateau=peak_and_plateau(run, summary),
        label_sets=_label_sets(run),
        notes=notes(run, summary),
        next_steps=next_steps(run, summary),
        sections="\n".join(
            section_html(section) for section in find_sections(run, summary, surface)
        ),
        audit=_audit(run),
        table=trial_table(run),
        table_guide=f"{count(len(run.trials), 'trial')}, {_order(run)}. Click a heading to sort by "
        "it. Columns marked * need the test set or the true labels and are not used for selection.",
        provenance=provenance(run),
    )


def _order(run: Run) -> str:
    return "by the mean over their seeds, best first" if is_repeated(run) else "best first"


def _audit(run: Run) -> str:
    """Return a section on the most suspicious labels if the run was audited."""
    audit = read_audit(run.path)
    return "" if audit is None else report_section(audit)


def _label_sets(run: Run) -> str:
    table = label_set_table(run)
    if not table:
        return ""
    return (
        f'<section id="label-sets"><h2>{label_set_heading(run)}</h2><p class="guide">'
        f'{label_set_guide(run)}</p><div class="scroll" tabindex="0">{table}</div></section>'
    )
