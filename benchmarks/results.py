"""Writes docs/results.md and its diagram from the recorded populations.

    python benchmarks/results.py

Everything in them is computed from the complete populations in benchmarks/recorded/populations. Run
it again after recording more.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from critical_difference import picture
from method_comparison import (
    Difference,
    Ranking,
    agreement,
    differences,
    fewest_populations,
    ranking,
    selection,
    test_accuracies,
)
from populations import POPULATIONS, RECORDED, Recorded, load, recorded

from tune_robust.files import write_aside
from tune_robust.statistics import Estimate, estimate

DOCS = Path(__file__).parents[1] / "docs"
PICTURE = "results_ranks.svg"

NAMES = {
    "sgd": "SGD",
    "sam": "SAM",
    "asam": "ASAM",
    "saner": "SANER",
    "saner_slaw": "SANER + SLAW",
    "slaw": "SLAW",
    "law": "LAW",
    "sals": "SALS",
    "gce": "GCE",
    "sce": "SCE",
    "mixup": "mixup",
    "ema": "EMA",
}
CLAIMS = (
    ("sam", "sgd"),
    ("asam", "sgd"),
    ("saner", "sgd"),
    ("saner_slaw", "sgd"),
    ("slaw", "sgd"),
    ("law", "sgd"),
    ("sals", "sgd"),
    ("gce", "sgd"),
    ("sce", "sgd"),
    ("mixup", "sgd"),
    ("ema", "sgd"),
    ("saner", "sam"),
    ("asam", "sam"),
    ("slaw", "sals"),
    ("slaw", "law"),
    ("saner_slaw", "saner"),
    ("saner_slaw", "slaw"),
)
"""The comparisons: each method with SGD, and the further claims of the papers."""
SHAPES = ("suppress_high", "band", "as_published")
NOT_VARIED = """\
- what SANER's `alpha` and `k` do, and how the best `k` depends on the noise and on the length of
  training: each population has 4 configurations of SANER and 6 of SANER + SLAW, too few for two
  dimensions in addition to the learning rate;
- how SAM's best `rho` depends on the noise rate: each kind of noise has one rate;
- schedules of `rho` and `alpha`, and SAM together with GCE: the space does not contain them;
- anything about larger networks, more images, longer training or other data: nothing is claimed
  beyond the sizes recorded.
"""


def document(populations: Sequence[Recorded]) -> str:
    """Return the text of docs/results.md."""
    accuracies = test_accuracies(populations)
    ranked = ranking(accuracies)
    compared = differences(accuracies, CLAIMS)
    sections = [
        _opening(populations),
        _summary(compared, ranked),
        _methods(accuracies, populations),
        _ranks(ranked),
        _claims(compared),
        _shapes(populations),
        _confirmed(populations),
        _selection(populations),
        _agreement(populations),
        f"## What these recordings cannot decide\n\n{NOT_VARIED}",
    ]
    return "\n".join(section for section in sections if section)


def _opening(populations: Sequence[Recorded]) -> str:
    names = {one.population.name for one in populations}
    missing = [f"`{name}`" for name in POPULATIONS if name not in names]
    text = (
        "Written by `python benchmarks/results.py` from the recorded populations "
        "(`benchmarks/recorded/populations/README.md`): the same configurations of twelve methods, "
        "trained completely at equal compute on several data sets and kinds of label noise. A "
        "method is represented by its best configuration by *noisy* validation accuracy, as a "
        "search without trusted labels would select it; the figures are its accuracy on the clean "
        f"test images. Of {len(POPULATIONS)} planned populations, {len(populations)} have been "
        "recorded completely."
    )
    if missing:
        text += f" Missing so far: {', '.join(missing)}."
    return f"# Which method, under which noise\n\n{_paragraph(text)}"


def _summary(compared: Sequence[Difference], ranked: Ranking) -> str:
    decided = [one for one in compared if one.verdict != "open"]
    ranks = ranked.ranks
    best = (
        f"{NAMES[ranks.index[0]]} has the best average rank ({ranks.iloc[0]:.1f} of {len(ranks)})"
    )
    if len(ranked.cliques) == 1 and len(ranked.cliques[0]) == len(ranks):
        best += ", but no two methods are further apart than the critical difference"
    points = [f"{best}."]
    if decided:
        said = "; ".join(
            f"{NAMES[one.method]} is {one.verdict} {NAMES[one.reference]}" for one in decided
        )
        points.append(f"Decided at 5 %, corrected for {len(compared)} comparisons: {said}.")
    else:
        points.append(
            f"None of the {len(compared)} comparisons below is decided at 5 % after correction."
        )
    needed = fewest_populations(len(compared))
    if ranked.n < needed:
        points.append(
            f"So few populations ({ranked.n}) cannot decide any of them: for {len(compared)} "
            f"comparisons Wilcoxon's test needs at least {needed}, even if all point the same way. "
            "The differences describe these populations; they are not a conclusion."
        )
    return "## In short\n\n" + "".join(_paragraph(point, "- ") for point in points)


def _methods(accuracies: pd.DataFrame, populations: Sequence[Recorded]) -> str:
    order = accuracies.mean().sort_values(ascending=False).index
    counts = [one.trials["method"].value_counts() for one in populations]
    head = ["method", "configurations", *(f"`{name}`" for name in accuracies.index)]
    rows = [
        [NAMES[m], _range(count[m] for count in counts), *_beside_sgd(accuracies, m)] for m in order
    ]
    note = _paragraph(
        "Test accuracy in percent of each method's chosen configuration and, in brackets, by how "
        "many points it is above SGD's. There is one split, noise draw and seed per population, so "
        "a single figure has no interval."
    )
    return f"## Each method's chosen configuration\n\n{note}\n{_table(head, rows)}"


def _range(counts: Iterable[int]) -> str:
    low, *_, high = sorted([*counts] * 2)
    return str(low) if low == high else f"{low} to {high}"


def _beside_sgd(accuracies: pd.DataFrame, method: str) -> Iterable[str]:
    for name, value in accuracies[method].items():
        gain = 100 * (value - accuracies.loc[name, "sgd"])
        yield f"{100 * value:.1f}" + ("" if method == "sgd" else f" ({gain:+.1f})")


def _ranks(ranked: Ranking) -> str:
    head = ["method", "average rank"]
    rows = [[NAMES[method], f"{rank:.2f}"] for method, rank in ranked.ranks.items()]
    text = f"Means over the populations ({ranked.n}); 1 is best. "
    if ranked.p is not None:
        text += f"Friedman's test that all are equal: p = {ranked.p:.3g}. "
    note = _paragraph(
        f"{text}Two methods whose average ranks differ by at most the critical difference of "
        f"{ranked.critical_difference:.2f} (Nemenyi, 5 %; Demsar 2006) are statistically "
        "indistinguishable; bars join such groups."
    )
    shown = f"![Average ranks and their critical difference]({PICTURE})\n"
    return f"## Ranks\n\n{note}\n{shown}\n{_table(head, rows)}"


def _claims(compared: Sequence[Difference]) -> str:
    head = ["comparison", "n", "mean difference, points (95 % interval)", "p", "corrected p", ""]
    rows = [
        [
            f"{NAMES[one.method]} over {NAMES[one.reference]}",
            str(one.size.n),
            _points(one.size),
            _p(one.p),
            _p(one.adjusted),
            one.verdict,
        ]
        for one in compared
    ]
    note = _paragraph(
        "Paired over the populations: p of Wilcoxon's signed-rank test, and the same corrected for "
        "all comparisons of the table (Holm). `open`: not significant. Populations that share "
        "their images are not fully independent, so their p values tend to be too small."
    )
    return f"## Claims\n\n{note}\n{_table(head, rows)}"


def _shapes(populations: Sequence[Recorded]) -> str:
    """Return the mean over all trials that weight samples, by LAW's shape."""
    by_population = {
        one.population.name: one.last.groupby("law.shape")["test_accuracy"].mean()
        for one in populations
    }
    means = pd.DataFrame(by_population).T
    head = ["shape", "mean test accuracy, % (95 % interval over populations)"]
    shapes = [shape for shape in SHAPES if shape in means]
    rows = [[f"`{shape}`", _percent(estimate(means[shape].tolist()))] for shape in shapes]
    said = "; ".join(
        f"`{one.method}` over `{one.reference}`: {_points(one.size)} points, corrected p "
        f"{_p(one.adjusted)}, {one.verdict}"
        for one in differences(means, [(SHAPES[0], other) for other in SHAPES[1:]])
    )
    note = _paragraph(
        "All configurations of LAW, SLAW and SANER + SLAW, selected or not. Each shape has its own "
        "5 or 6 of them, the same in every population: a difference may be due to the shape or to "
        "the other settings."
    )
    table = _table(head, rows)
    return f"## LAW's three directions\n\n{note}\n{table}\n{_paragraph(said + '.')}"


def _confirmed(populations: Sequence[Recorded]) -> str:
    confirmed = [one for one in populations if one.confirmed is not None]
    if not confirmed:
        note = (
            "No population has been confirmed on fresh seeds so far. `python "
            "benchmarks/record_populations.py --confirm 5` trains each method's chosen "
            "configuration on five."
        )
        return f"## Fresh seeds\n\n{_paragraph(note)}"
    note = _paragraph(
        "Each method's chosen configuration, trained again with fresh seeds for the network, the "
        "split and the noise draw: mean test accuracy, and how far it is above SGD's, paired by "
        "seed."
    )
    tables = "\n".join(_confirmed_table(one) for one in confirmed)
    return f"## Fresh seeds\n\n{note}\n{tables}"


def _confirmed_table(one: Recorded) -> str:
    table = one.confirmed.pivot(index="seed", columns="method", values="test_accuracy").dropna()
    compared = differences(table, [(method, "sgd") for method in table if method != "sgd"])
    gains = {found.method: _points(found.size) for found in compared}
    head = ["method", "n", "test accuracy, % (95 % interval)", "over SGD, points (95 % interval)"]
    rows = [
        [NAMES[m], str(len(table)), _percent(estimate(table[m].tolist())), gains.get(m, "")]
        for m in table.mean().sort_values(ascending=False).index
    ]
    return f"`{one.population.name}`:\n\n{_table(head, rows)}"


def _selection(populations: Sequence[Recorded]) -> str:
    head = [
        *("population", "chosen", "its test accuracy, %", "best of all, %", "lost, points"),
        "rank correlation of noisy validation with test accuracy",
    ]
    found = {one.population.name: selection(one) for one in populations}
    rows = [
        [
            f"`{name}`",
            f"{one.trial}, {NAMES[one.method]}",
            f"{100 * one.accuracy:.1f}",
            f"{100 * one.best:.1f}",
            f"{100 * (one.best - one.accuracy):.1f}",
            f"{one.correlation:.2f}",
        ]
        for name, one in found.items()
    ]
    lost = [100 * (one.best - one.accuracy) for one in found.values()]
    note = _paragraph(
        "The trial selected by noisy validation accuracy, compared with the best one. "
        f"The loss is {sum(lost) / len(lost):.1f} points on average and at most {max(lost):.1f}."
    )
    return f"## The cost of selection by noisy labels\n\n{note}\n{_table(head, rows)}"


def _agreement(populations: Sequence[Recorded]) -> str:
    if len(populations) < 2:
        return ""
    table = agreement(populations)
    head = ["", *(f"`{name}`" for name in table)]
    rows = [[f"`{name}`", *(f"{value:.2f}" for value in row)] for name, row in table.iterrows()]
    note = _paragraph(
        "Spearman's correlation of the test accuracies of the same configurations in two "
        "populations: 1 means equal ranks, so that settings found on one are right for "
        "the other."
    )
    return f"## Do results transfer between populations?\n\n{note}\n{_table(head, rows)}"


def _paragraph(text: str, first: str = "") -> str:
    """Return ``text`` wrapped as in the other documents."""
    filled = textwrap.fill(
        text,
        100,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _percent(value: Estimate) -> str:
    return f"{100 * value.mean:.1f}{_interval(value, '.1f')}"


def _points(value: Estimate) -> str:
    return f"{100 * value.mean:+.1f}{_interval(value, '+.1f')}"


def _interval(value: Estimate, form: str) -> str:
    """Return the interval in brackets; none for two values, where it would be uninformative."""
    if value.n < 3:
        return ""
    return f" ({format(100 * value.low, form)} to {format(100 * value.high, form)})"


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def complete_populations(folder: Path = RECORDED) -> list[Recorded]:
    """Return the recorded populations whose trials have all ended.

    Only those are comparable.
    """
    there = [load(name, folder=folder) for name in recorded(folder=folder)]
    return [one for one in there if one.complete]


def write(populations: Sequence[Recorded], docs: Path) -> None:
    """Write the document and its diagram into ``docs``."""
    shown = picture(ranking(test_accuracies(populations)), NAMES)
    write_aside(docs / PICTURE, shown.encode())
    write_aside(docs / "results.md", document(populations).encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recorded", type=Path, default=RECORDED, help="the recorded populations")
    parser.add_argument("--docs", type=Path, default=DOCS, help="the folder to write into")
    arguments = parser.parse_args()
    complete = complete_populations(arguments.recorded)
    if not complete:
        parser.error(f"no population in {arguments.recorded} is complete yet")
    write(complete, arguments.docs)
