"""The section of docs/results.md that says what to start with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markdown import paragraph, points, table
from names import KINDS, NAMES
from populations import Recorded
from starting_points import Start, settings

from tune_robust.formatting import count
from tune_robust.statistics import estimate


def recommended(populations: Sequence[Recorded], begun: Sequence[Start]) -> Iterable[str]:
    """Say what to start with if the kind of noise is unknown, by the number of trainings."""
    methods = populations[0].last["method"]
    for start in begun:
        if start.noise == "any" and start.checked:
            names = ", ".join(NAMES[methods[trial]] for trial in start.trials)
            yield (
                f"To start with under unknown label noise, with {_trainings(start)}: {names}. On "
                f"{count(len(start.checked), 'population')} that had no part in this choice, it is "
                f"{points(estimate(start.gains))} points above plain SGD chosen in the same way."
            )
            return


def not_better(begun: Sequence[Start]) -> Iterable[str]:
    """Warn of kinds of noise where the recommended start was worse than SGD."""
    worse = {}
    for start in begun:
        if start.noise != "any" and start.gains and sum(start.gains) < 0:
            gain = points(estimate(start.gains))
            worse.setdefault(start.noise, []).append(f"{gain} points with {_trainings(start)}")
    for noise, gains in worse.items():
        yield (
            f"Label noise: {KINDS[noise]}. The recommended starts were worse than plain SGD on the "
            f"population that checks them ({'; '.join(gains)}). What is right for the digits is "
            "not right there: keep SGD among the candidates, and search."
        )


def starts(populations: Sequence[Recorded], found: Sequence[Start]) -> str:
    """Return the table of recommended starts and the settings that it names."""
    if not found:
        return ""
    note = paragraph(
        "Find your kind of label noise, train as many of its configurations as you can afford, the "
        "first ones first, and keep the one with the most label information, as `tune-robust "
        "search` does. They were chosen on populations marked `develop` and checked on those "
        "marked `report`, which had no influence on them. Populations with fewer configurations "
        "than the others are left out. Where a kind of noise has no population marked `develop`, "
        "they are chosen on the other kinds."
    )
    orders = "".join(_order(populations, start) for start in found if _is_longest(start, found))
    figures = paragraph(
        "The figures are means over the populations, in points of test accuracy: how far the kept "
        "configuration is below the best of all 60 (regret), and how far above the one kept of as "
        "many configurations of plain SGD (all six where there are more). More trainings do not "
        "always help, since noisy labels also choose wrongly among them."
    )
    head = [
        *("label noise", "trainings", "populations: chosen on, checked on", "regret where chosen"),
        *("regret where checked", "above SGD where checked (95 % interval)"),
    ]
    shown = table(head, map(_start_row, found))
    more = paragraph(
        "For more trainings, search: `tune-robust search --space robust_start` begins with the "
        f"configurations for {KINDS['any']} noise, with two significant digits, and searches the "
        "ranges of the populations around them."
    )
    listed = _listed(populations, found)
    title = "## Your noise, your compute: start here"
    return f"{title}\n\n{note}\n{orders}\n{figures}\n{shown}\n{listed}\n{more}"


def _is_longest(start: Start, found: Sequence[Start]) -> bool:
    alike = (one for one in found if one.noise == start.noise)
    return start is max(alike, key=lambda one: len(one.trials))


def _order(populations: Sequence[Recorded], start: Start) -> str:
    methods = populations[0].last["method"]
    names = ", ".join(f"{NAMES[methods[trial]]} ({trial})" for trial in start.trials)
    chosen, checked = (_listing(which) for which in (start.developed, start.checked))
    return paragraph(
        f"**{KINDS[start.noise]}**: {names}. Chosen on {chosen}; checked on {checked}.", "- "
    )


def _listing(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _start_row(start: Start) -> list[str]:
    checked = ["", ""]
    if start.checked:
        regret = f"{sum(start.regrets) / len(start.regrets):.1f}"
        checked = [regret, points(estimate(start.gains))]
    return [
        KINDS[start.noise],
        str(len(start.trials)),
        f"{len(start.developed)} and {len(start.checked)}",
        f"{start.regret:.1f}",
        *checked,
    ]


def _trainings(start: Start) -> str:
    return count(len(start.trials), "training")


def _listed(populations: Sequence[Recorded], found: Sequence[Start]) -> str:
    """List the settings of the configurations that the table names."""
    trials = sorted({trial for start in found for trial in start.trials})
    rows = []
    for trial in trials:
        method, *drawn = settings(populations[0], trial).items()
        rows.append([trial, NAMES[method[1]], ", ".join(f"`{k}` {v}" for k, v in drawn)])
    return table(["configuration", "method", "settings (20 epochs of two passes or 40)"], rows)
