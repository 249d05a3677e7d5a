"""A table of the best trial and the centre of the good settings."""

from __future__ import annotations

from analysis.formatting import near, number, plain, score
from analysis.report.summary import Summary
from analysis.stored.run import Run
from analysis.surrogate.best_region import LEVEL
from analysis.surrogate.robust_region import Region, Setting


def peak_and_plateau(run: Run, summary: Summary) -> str:
    """Return the best trial and the centre of the good settings side by side, as a table."""
    if summary.region is None:
        return ""
    name, region = run.objective.metric, summary.region
    within = f"the settings expected within {near(name)} of the best"
    guide = (
        f"The peak is the trial that scored best; the plateau lies in the middle of {within}, so "
        "that small changes of a setting cost little."
    )
    if region.peak.trial == region.plateau.trial:
        guide = f"The trial that scored best also lies in the middle of {within}."
    head = ["", "settings", "scored", "expected", "90% interval", "tried as"]
    rows = [_row(name, "Peak", region.peak), _row(name, "Plateau", region.plateau)]
    return (
        f'<section class="winners"><h2>Peak and plateau</h2><p class="guide">{guide}</p>'
        f'<div class="scroll" tabindex="0"><table class="facts"><thead><tr>'
        + "".join(f'<th scope="col">{title}</th>' for title in head)
        + f"</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f"<ul>{_box(name, region)}</ul></section>"
    )


def _row(name: str, title: str, setting: Setting) -> str:
    values = ", ".join(f"{plain(path)} {plain(number(v))}" for path, v in setting.values.items())
    cells = [
        values,
        score(name, setting.score),
        score(name, setting.expected),
        f"{score(name, setting.low)} to {score(name, setting.high)}",
        plain(setting.trial or "not tried yet"),
    ]
    return f'<tr><th scope="row">{title}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _box(name: str, region: Region) -> str:
    sides = "".join(
        f"<li><code>{plain(path)}</code> from {number(low)} to {number(high)}: "
        f"{_portion(region.width[path])} of the range searched; the best from "
        f"{number(region.best[path][0])} to {number(region.best[path][1])}</li>"
        for path, (low, high) in region.bounds.items()
    )
    held = " and ".join(f"{plain(p)} {plain(number(v))}" for p, v in region.chosen.items())
    sure = f"A setting in this box is within {near(name)} of the best with {region.sure:.0%} "
    given = f", given {held}" if held else ""
    best = (
        f"A setting within {near(name)} of the best lies in the ranges for the best, all of them "
    )
    return (
        f"{sides}<li>{sure}probability{given}.</li><li>{best}together, with {LEVEL:.0%} "
        "probability.</li>"
    )


def _portion(fraction: float) -> str:
    return "all" if fraction > 0.995 else "under 1%" if fraction < 0.01 else f"{fraction:.0%}"
