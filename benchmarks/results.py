"""Writes docs/results.md and its diagram from the recordings.

    python benchmarks/results.py

Everything in them is computed from the complete populations in benchmarks/recorded/populations, the
grids in benchmarks/recorded/claims and the two grids of methods. Run it again after recording more.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import claim_sections
import claims
import method_sections
import start_sections
from critical_difference import picture
from markdown import paragraph
from method_comparison import (
    Difference,
    Ranking,
    accuracies_of,
    differences,
    fewest_populations,
    ranking,
)
from names import NAMES, PICTURE
from populations import POPULATIONS, RECORDED, Recorded, load, recorded, with_most_trials
from starting_points import starts

from tune_robust.files import write_aside

DOCS = Path(__file__).parents[1] / "docs"

COMPARED = (
    *((method, "sgd") for method in NAMES if method != "sgd"),
    ("asam", "sam"),
)
"""The comparisons of methods over populations; those of the papers' claims are in claims.py."""
LIMITS = """\
- Anything about larger networks, more images, longer training or other data: nothing is claimed
  beyond the sizes recorded. Most populations are of the digits, of 8x8 pixels.
- Whether a method is better than another at its best settings: each method is represented by the
  same 4 to 6 configurations in every population (2 or 3 with ResNet-20), so a difference may be due
  to the configurations. The p values consider the populations as a sample, not the configurations.
  The grids vary one setting with the others equal, but have one data set each.
- Better known points for the spaces on CIFAR-10, CIFAR-100 and their human labels: these keep the
  published settings. Only `robust_start` begins with what was recorded here.
- Populations of the digits share their test images, and the draws of one kind of noise differ only
  by split, noise and network: they are not independent, and their p values tend to be too small.
"""


def document(populations: Sequence[Recorded], recordings: claims.Recordings) -> str:
    """Return the text of docs/results.md."""
    accuracies = accuracies_of(populations)
    ranked = ranking(accuracies)
    compared = differences(accuracies, COMPARED)
    tested = claims.tests(accuracies, recordings)
    begun = starts(populations)
    more = [
        *method_sections.above_on_fresh_seeds(populations),
        *claim_sections.verdicts(tested),
        *start_sections.recommended(populations, begun),
        *start_sections.not_better(begun),
    ]
    sections = [
        _opening(populations),
        _summary(compared, ranked, more),
        start_sections.starts(populations, begun),
        method_sections.methods(accuracies, populations),
        method_sections.ranks(ranked),
        method_sections.compared(compared),
        method_sections.by_noise(accuracies),
        claim_sections.tests(tested),
        claim_sections.saner_by_rho(recordings),
        claim_sections.rho_by_rate(recordings),
        claim_sections.grids(recordings),
        claim_sections.shapes(populations),
        method_sections.fresh_seeds(populations),
        method_sections.cost_of_selection(populations),
        method_sections.transfer(populations),
        f"## What these recordings cannot decide\n\n{LIMITS}",
    ]
    return "\n".join(section for section in sections if section)


def _opening(populations: Sequence[Recorded]) -> str:
    names = {one.population.name for one in populations}
    full = {one.population.name for one in with_most_trials(populations)}
    missing = [f"`{name}`" for name in POPULATIONS if name not in names]
    text = (
        "Written by `python benchmarks/results.py` from the recorded populations "
        "(`benchmarks/recorded/populations/README.md`): the same configurations of twelve methods, "
        "trained completely at equal compute on several data sets and kinds of label noise. A "
        "method is represented by its best configuration by the metric that a search selects by "
        "without trusted labels: the [label information](selection.md) where the validation "
        "labels are noisy, and their accuracy where they are not. The figures are the accuracy on "
        f"the clean test images. Of {len(POPULATIONS)} planned populations, {len(populations)} "
        "have been recorded completely."
    )
    for one in populations:
        if one.population.name not in full:
            text += f" `{one.population.name}` has the first {len(one.trials)} configurations only."
    if missing:
        text += f" Missing so far: {', '.join(missing)}."
    return f"# Which method, under which noise\n\n{paragraph(text)}"


def _summary(
    compared: Sequence[Difference],
    ranked: Ranking,
    more: Iterable[str],
) -> str:
    decided = [one for one in compared if one.verdict != "open"]
    ranks = ranked.ranks
    best = (
        f"{NAMES[ranks.index[0]]} has the best average rank ({ranks.iloc[0]:.1f} of {len(ranks)})"
    )
    if len(ranked.cliques) == 1 and len(ranked.cliques[0]) == len(ranks):
        best += ", but no two methods are further apart than the critical difference"
    found = [f"{best}."]
    if decided:
        said = "; ".join(
            f"{NAMES[one.method]} is {one.verdict} {NAMES[one.reference]}" for one in decided
        )
        found.append(f"Decided at 5 %, corrected for {len(compared)} comparisons: {said}.")
    else:
        found.append(
            f"None of the {len(compared)} comparisons of methods is decided at 5 % after "
            "correction."
        )
    needed = fewest_populations(len(compared))
    if ranked.n < needed:
        found.append(
            f"So few populations ({ranked.n}) cannot decide any of them: for {len(compared)} "
            f"comparisons Wilcoxon's test needs at least {needed}, even if all point the same way. "
            "The differences describe these populations; they are not a conclusion."
        )
    return "## In short\n\n" + "".join(paragraph(point, "- ") for point in [*found, *more])


def complete_populations(folder: Path = RECORDED) -> list[Recorded]:
    """Return the recorded populations whose trials have all ended.

    Only those are comparable.
    """
    there = [load(name, folder=folder) for name in recorded(folder=folder)]
    return [one for one in there if one.complete]


def write(populations: Sequence[Recorded], recordings: claims.Recordings, docs: Path) -> None:
    """Write the document and its diagram into ``docs``."""
    shown = picture(ranking(accuracies_of(populations)), NAMES)
    write_aside(docs / PICTURE, shown.encode())
    write_aside(docs / "results.md", document(populations, recordings).encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recorded", type=Path, default=RECORDED, help="the recorded populations")
    parser.add_argument("--docs", type=Path, default=DOCS, help="the folder to write into")
    arguments = parser.parse_args()
    complete = complete_populations(arguments.recorded)
    if not complete:
        parser.error(f"no population in {arguments.recorded} is complete yet")
    write(complete, claims.Recordings.load(arguments.recorded.parent), arguments.docs)
