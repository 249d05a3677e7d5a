"""The comparison of several runs as one self-contained HTML page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from analysis.comparison.figures import bands, colours, finals, noise_map
from analysis.comparison.scenes import Comparison, Entry, Repeat, Scene
from analysis.comparison.text import cells, headings, headline, lead, notes, rows
from analysis.formatting import dimension_hint, plain, sentence_case
from analysis.pages.frame import fill_page, write_page
from analysis.pages.section import Section, section_html
from tune_robust.formatting import count
from tune_robust.runs.naming import run_argument


def write_comparison(comparison: Comparison, out: str | Path) -> Path:
    """Write the page to ``out`` and return its path.

    Raises:
        UserError: The page cannot be written.
    """
    out = Path(out).expanduser()
    write_page(out, render(comparison))
    return out


def render(comparison: Comparison) -> str:
    """Return the whole page as HTML."""
    names = [r.run.name for s in comparison.scenes for e in s.entries for r in e.repeats]
    return fill_page(
        __package__,
        "compare.html",
        title=plain(" · ".join(names[:3])),
        subtitle=f"{count(len(names), 'run')} compared",
        headline=headline(comparison),
        lead=lead(comparison),
        notes="".join(f"<li>{_with_code(note)}</li>" for note in notes(comparison)),
        next_steps=_next_steps(comparison),
        sections="\n".join(_sections(comparison)),
        runs=_runs(comparison),
    )


def _sections(comparison: Comparison) -> list[str]:
    colour = colours(comparison)
    maps = [
        section_html(
            Section(
                f"map-{place}",
                f"Where the best <code>{plain(path)}</code> lies",
                f"{_hint(path)}Each diamond is the best setting of a run, the bar the range "
                "expected within one point of it; the line joins the medians.",
                [(f"map-{place}", noise_map(comparison, path, colour))],
            )
        )
        for place, path in enumerate(comparison.places)
    ]
    return maps + [
        part
        for place, scene in enumerate(comparison.scenes)
        for part in _scene(scene, place, colour, several=len(comparison.scenes) > 1)
    ]


def _with_code(text: str) -> str:
    """Turn the commands in backticks into HTML code elements."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", plain(text))


def _hint(path: str) -> str:
    hint = dimension_hint(path)
    return f"{sentence_case(plain(hint))}. " if hint else ""


def _scene(scene: Scene, place: int, colour: dict[str, str], several: bool) -> list[str]:
    where = f" on {plain(scene.label)}" if several else ""
    pictures, beside = [(f"bands-{place}", bands(scene, colour))], ""
    if sum(len(entry.repeats) for entry in scene.entries) > 1:
        pictures.append((f"finals-{place}", finals(scene, colour)))
        beside = (
            " The dotted line is the compute that all have used, at which the second figure "
            "compares them."
        )
    figures = section_html(
        Section(
            f"scene-{place}",
            f"Best score by compute{where}",
            "Lines are the best score of a finished trial so far, as the mean over a search's "
            f"repeats; bands are the range from the worst to the best repeat.{beside}",
            pictures,
        )
    )
    return [
        figures,
        f'<section id="table-{place}"><h2>In numbers{where}</h2><p class="guide">± is half of the '
        "95% interval, or its ends where it is clipped to possible values, over runs (of a single "
        "confirmed run: over its seeds); columns marked * "
        'are not used for selection.</p><div class="scroll" tabindex="0">'
        f"{_table(scene)}</div></section>",
    ]


def _table(scene: Scene) -> str:
    def line(texts: Iterable[str], tag: str, wrap: str = "{}") -> str:
        parts = [wrap.format(plain(text)) for text in texts]
        first = f'<{tag} class="text">{parts[0]}</{tag}>'
        return f"<tr>{first}{''.join(f'<{tag}>{part}</{tag}>' for part in parts[1:])}</tr>"

    head = line(headings(scene), "th", "<button>{}</button>")
    body = "".join(line(cells(row, scene), "td") for row in rows(scene))
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def _next_steps(comparison: Comparison) -> str:
    repeats = [r for s in comparison.scenes for r in s.ranked[0].repeats]
    todo = [
        f"tune-robust confirm {run_argument(r.run.place)}" for r in repeats if r.confirmed is None
    ]
    if not todo:
        todo = [f"tune-robust export {run_argument(r.run.place)} --top 1" for r in repeats]
        words = "Export the leaders' configurations:"
    else:
        words = "Confirm the leaders on fresh seeds, then compare again:"
    return f"<p>{words}</p><pre><code>{plain(chr(10).join(todo[:4]))}</code></pre>"


def _runs(comparison: Comparison) -> str:
    return "".join(
        f"<dt>{plain(r.run.name)}</dt><dd>{plain(' · '.join(_about(scene, entry, r)))}</dd>"
        for scene in comparison.scenes
        for entry in scene.entries
        for r in entry.repeats
    )


def _about(scene: Scene, entry: Entry, repeat: Repeat) -> list[str]:
    command = shlex.join(repeat.run.meta.get("command") or [])
    baselines = int((repeat.run.trials["origin"] == "baseline").sum())
    trials = count(len(repeat.run.trials) - baselines, "trial")
    trials += f" and {count(baselines, 'baseline')}" if baselines else ""
    return [part for part in (entry.label, scene.label, trials, command) if part]
