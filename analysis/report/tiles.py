"""The most important numbers, as tiles below the headline."""

from __future__ import annotations

import math

from analysis.formatting import (
    difference,
    duration,
    is_missing,
    number,
    plain,
    score,
    sentence_case,
)
from analysis.report.headline import better, spread
from analysis.report.summary import ENDS, Candidate, Summary
from analysis.stored.confirmation import ConfirmedTrial
from analysis.stored.run import Run
from tune_robust.formatting import count
from tune_robust.metrics import metric


def tiles(run: Run, summary: Summary) -> str:
    """Return the most important numbers, each with an explanation."""
    best = summary.winner
    ended = [
        f"{number(summary.counts[status])} {words}"
        for status, words in ENDS.items()
        if summary.counts.get(status)
    ]
    total = summary.spent + summary.saved
    saved = [f"{summary.saved / total:.0%} saved by stopping early"] if summary.saved else []
    time = [] if math.isnan(summary.seconds) else [f"{duration(summary.seconds)} of training"]
    rest = [
        ("Trials", number(len(run.trials)), " · ".join(ended)),
        ("Compute", number(summary.spent), " · ".join(["gradient evaluations", *saved, *time])),
    ]
    scores = [] if best is None else _score_tiles(run, summary, best)
    return "".join(
        f'<div class="tile"><dt>{title}</dt><dd><b>{value}</b><span>{words}</span></dd></div>'
        for title, value, words in [*scores, *rest]
    )


def _score_tiles(run: Run, summary: Summary, best: Candidate) -> list[tuple[str, str, str]]:
    name = run.objective.metric
    compared = None if best.is_baseline else summary.baseline
    gain = f"{better(name, summary.gain)} than {plain(compared.label)}" if compared else ""
    if summary.ceiling is not None:
        gain += f"{' · ' if gain else ''}a perfect model gets about {summary.ceiling:.0%}"
    if best.seeds > 1:
        mean = f"mean of {count(best.seeds, 'seed')}{spread(name, best)}"
        gain = f"{mean} · {gain}" if gain else mean
    unit = metric(name).unit
    value = f"{score(name, best.score)} {unit}".rstrip()
    shown = [(sentence_case(metric(name).title), value, gain)]
    if summary.confirmation is not None:
        _, value, words = shown[0]
        words = f"{plain(best.trial)} in the search{f' · {words}' if words else ''}"
        shown = [
            _confirmed_tile(name, summary.confirmation.leader),
            (f"Best {metric(name).title}", value, words),
        ]
    if not is_missing(best.test_accuracy):
        known = compared is not None and not is_missing(summary.test_gain)
        gain = f"{better('test_accuracy', summary.test_gain)} · " if known else ""
        value = score("test_accuracy", best.test_accuracy)
        shown.append(("Test accuracy*", value, f"{gain}not used for selection"))
    if not is_missing(best.noisy_fit):
        words = ""
        if compared is not None:
            words = f"{plain(compared.label)}: {score('noisy_fit', compared.noisy_fit)}"
        shown.append(("Wrong labels memorised*", score("noisy_fit", best.noisy_fit), words))
    return shown


def _confirmed_tile(name: str, confirmed: ConfirmedTrial) -> tuple[str, str, str]:
    who = f"the baseline {plain(confirmed.trial)}" if confirmed.is_baseline else confirmed.trial
    words = [f"{plain(who)}, mean of {count(confirmed.n, 'fresh seed')}"]
    if confirmed.low is not None:
        words.append(f"{score(name, confirmed.low)} to {score(name, confirmed.high)}")
    if confirmed.optimism is not None:
        way = "high" if confirmed.optimism >= 0 else "low"
        words.append(f"{difference(name, abs(confirmed.optimism))} too {way} in the search")
    return f"Confirmed {metric(name).title}", score(name, confirmed.mean), " · ".join(words)
