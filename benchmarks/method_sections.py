"""The sections of docs/results.md that compare the methods."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd
from markdown import p_value, paragraph, percent, points, table
from method_comparison import (
    LEVEL,
    Difference,
    Ranking,
    agreement,
    chosen,
    holm,
    on_fresh_seeds,
    paired_t,
    selection,
)
from names import KINDS, NAMES, PICTURE
from populations import POPULATIONS, Recorded

from tune_robust.formatting import count
from tune_robust.statistics import estimate


def methods(accuracies: pd.DataFrame, populations: Sequence[Recorded]) -> str:
    """Return the accuracy of each method's chosen configuration in each population."""
    order = accuracies.mean().sort_values(ascending=False).index
    counts = [one.trials["method"].value_counts() for one in populations]
    names = [_with_seeds(one) for one in populations]
    changes = sum(_change_by_accuracy(one) for one in populations) / len(populations)
    head = ["method", "configurations", *names, "mean", "by noisy accuracy, points"]
    rows = [
        [
            NAMES[m],
            _range(count[m] for count in counts),
            *_beside_sgd(accuracies, m),
            f"{100 * accuracies[m].mean():.1f}",
            f"{100 * changes[m]:+.1f}",
        ]
        for m in order
    ]
    note = paragraph(
        "Test accuracy in percent of each method's chosen configuration and, in brackets, by how "
        "many points it is above SGD's: the mean over fresh seeds where their number is in the "
        "head of the column (intervals below), and otherwise the result of the search with its one "
        "split, noise draw and seed. The last column is how much the mean in the searches changes "
        "if the configurations are chosen by the accuracy on noisy validation labels instead."
    )
    return f"## Each method's chosen configuration\n\n{note}\n{table(head, rows)}"


def _change_by_accuracy(one: Recorded) -> pd.Series:
    """Return how much choosing by noisy accuracy changes the result of each method's search."""
    return chosen(one, "val_accuracy")["test_accuracy"] - chosen(one)["test_accuracy"]


def _with_seeds(one: Recorded) -> str:
    again = on_fresh_seeds(one)
    return f"`{one.population.name}`" + ("" if again is None else f", {len(again)} fresh seeds")


def _range(counts: Iterable[int]) -> str:
    low, *_, high = sorted([*counts] * 2)
    return str(low) if low == high else f"{low} to {high}"


def _beside_sgd(accuracies: pd.DataFrame, method: str) -> Iterable[str]:
    for name, value in accuracies[method].items():
        gain = 100 * (value - accuracies.loc[name, "sgd"])
        yield f"{100 * value:.1f}" + ("" if method == "sgd" else f" ({gain:+.1f})")


def ranks(ranked: Ranking) -> str:
    """Return the average ranks of the methods and the picture of them."""
    head = ["method", "average rank"]
    rows = [[NAMES[method], f"{rank:.2f}"] for method, rank in ranked.ranks.items()]
    text = f"Means over the populations ({ranked.n}); 1 is best. "
    if ranked.p is not None:
        text += f"Friedman's test that all are equal: p = {ranked.p:.3g}. "
    note = paragraph(
        f"{text}Two methods whose average ranks differ by at most the critical difference of "
        f"{ranked.critical_difference:.2f} (Nemenyi, 5 %; Demsar 2006) are statistically "
        "indistinguishable; bars join such groups."
    )
    shown = f"![Average ranks and their critical difference]({PICTURE})\n"
    return f"## Ranks\n\n{note}\n{shown}\n{table(head, rows)}"


def compared(found: Sequence[Difference]) -> str:
    """Return the paired comparisons of methods over the populations."""
    head = ["comparison", "n", "mean difference, points (95 % interval)", "p", "corrected p", ""]
    rows = [
        [
            f"{NAMES[one.method]} over {NAMES[one.reference]}",
            str(one.size.n),
            points(one.size),
            p_value(one.p),
            p_value(one.adjusted),
            one.verdict,
        ]
        for one in found
    ]
    note = paragraph(
        "Paired over the populations: p of Wilcoxon's signed-rank test, and the same corrected for "
        "all comparisons of the table (Holm). `open`: not significant."
    )
    return f"## Methods beside SGD\n\n{note}\n{table(head, rows)}"


def by_noise(accuracies: pd.DataFrame) -> str:
    """Say which methods are best under each kind of noise, by data set."""
    kinds = [f"{POPULATIONS[n].data}, {KINDS[POPULATIONS[n].noise]}" for n in accuracies.index]
    means = accuracies.groupby(kinds, sort=False).mean()
    counts = pd.Series(kinds).value_counts()
    rows = []
    for kind, row in means.iterrows():
        first = row.sort_values(ascending=False, kind="stable").index[:3]
        said = [
            f"{NAMES[m]} {100 * row[m]:.1f} ({100 * (row[m] - row['sgd']):+.1f})" for m in first
        ]
        rows.append([kind, str(counts[kind]), *said])
    winners = [row.idxmax() for _, row in means.iterrows()]
    note = paragraph(
        "The three methods with the highest mean test accuracy, in percent, and by how many points "
        f"they are above SGD. {len(set(winners))} different methods win {len(winners)} kinds. With "
        "at most three populations of a kind, no winner of a single kind can be decided: the table "
        "describes, and whether the kind of noise changes the winner is open."
    )
    head = ["data and noise", "populations", "first", "second", "third"]
    return f"## Does the kind of noise change the winner?\n\n{note}\n{table(head, rows)}"


def fresh_seeds(populations: Sequence[Recorded]) -> str:
    """Return the results of the chosen configurations on fresh seeds."""
    confirmed = [one for one in populations if on_fresh_seeds(one) is not None]
    if not confirmed:
        note = (
            "No population has been confirmed on fresh seeds so far. `python "
            "benchmarks/record_populations.py --confirm 5` trains each method's chosen "
            "configuration on five."
        )
        return f"## Fresh seeds\n\n{paragraph(note)}"
    note = paragraph(
        "Each method's chosen configuration, trained again with fresh seeds for the network, the "
        "split and the noise draw: mean test accuracy, and how far it is above SGD's, paired by "
        "seed, with the p of a paired t test corrected for the methods of the table (Holm). The "
        "last column is the result of the search, with its one seed."
    )
    tables = "\n".join(_confirmed_table(one) for one in confirmed)
    return f"## Fresh seeds\n\n{note}\n{tables}"


def above_on_fresh_seeds(populations: Sequence[Recorded]) -> Iterable[str]:
    """Say which methods are above SGD on the fresh seeds of a population."""
    for one in populations:
        if (again := on_fresh_seeds(one)) is None:
            continue
        gains, adjusted = _against_sgd(again)
        above = [m for m in gains if gains[m].mean() > 0 and adjusted[m] <= LEVEL]
        said = ", ".join(f"{NAMES[m]} {points(estimate(gains[m].tolist()))}" for m in above)
        yield (
            f"On {count(len(again), 'fresh seed')} of `{one.population.name}`, above SGD at 5 % "
            f"after correction, in points: {said or 'none'}."
        )


def _against_sgd(again: pd.DataFrame) -> tuple[dict[str, pd.Series], dict[str, float]]:
    """Return how far each method is above SGD by seed, best first, and its corrected p."""
    order = again.mean().sort_values(ascending=False).index
    gains = {m: again[m] - again["sgd"] for m in order if m != "sgd"}
    return gains, dict(zip(gains, holm([paired_t(gain) for gain in gains.values()]), strict=True))


def _confirmed_table(one: Recorded) -> str:
    again, once = on_fresh_seeds(one), chosen(one)["test_accuracy"]
    gains, adjusted = _against_sgd(again)
    head = [
        *("method", "n", "test accuracy, % (95 % interval)", "over SGD, points (95 % interval)"),
        *("corrected p", "in the search, %"),
    ]
    rows = [
        [
            NAMES[m],
            str(len(again)),
            percent(estimate(again[m].tolist())),
            points(estimate(gains[m].tolist())) if m in gains else "",
            p_value(adjusted[m]) if m in gains else "",
            f"{100 * once[m]:.1f}",
        ]
        for m in again.mean().sort_values(ascending=False).index
    ]
    return f"`{one.population.name}`:\n\n{table(head, rows)}"


def cost_of_selection(populations: Sequence[Recorded]) -> str:
    """Return what selection by noisy labels costs in each population."""
    head = [
        *("population", "chosen", "its test accuracy, %", "best of all, %", "lost, points"),
        *("rank correlation with test accuracy", "lost by noisy accuracy, points"),
    ]
    found = {one.population.name: selection(one) for one in populations}
    plain = {one.population.name: selection(one, "val_accuracy") for one in populations}
    rows = [
        [
            f"`{name}`",
            f"{one.trial}, {NAMES[one.method]}",
            f"{100 * one.accuracy:.1f}",
            f"{100 * one.best:.1f}",
            f"{one.lost:.1f}",
            f"{one.correlation:.2f}",
            f"{plain[name].lost:.1f}",
        ]
        for name, one in found.items()
    ]
    lost = [one.lost for one in found.values()]
    before = [one.lost for one in plain.values()]
    note = paragraph(
        "The trial selected of all by noisy validation labels, compared with the best one. The "
        f"loss is {sum(lost) / len(lost):.1f} points on average and at most {max(lost):.1f}; by "
        f"the accuracy on noisy labels it is {sum(before) / len(before):.1f} and {max(before):.1f}."
    )
    return f"## The cost of selection by noisy labels\n\n{note}\n{table(head, rows)}"


def transfer(populations: Sequence[Recorded]) -> str:
    """Return how well the configurations' ranks agree between populations."""
    if len(populations) < 2:
        return ""
    correlations = agreement(populations)
    head = ["", *(f"`{name}`" for name in correlations)]
    rows = [
        [f"`{name}`", *(f"{value:.2f}" for value in row)] for name, row in correlations.iterrows()
    ]
    note = paragraph(
        "Spearman's correlation of the test accuracies of the same configurations in two "
        "populations: 1 means equal ranks, so that settings found on one are right for "
        "the other."
    )
    return f"## Do results transfer between populations?\n\n{note}\n{table(head, rows)}"
