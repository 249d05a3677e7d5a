"""The result in one line, and in two or three sentences at the top of the report, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mode
from typing import Any

from analysis.formatting import difference, is_missing, number, plain, score
from analysis.report.summary import Candidate, Summary
from analysis.stored.confirmation import Confirmation
from analysis.stored.ranking import label_sets
from analysis.stored.run import Run
from tune_robust.formatting import count, listed
from tune_robust.metrics import metric

_SHORT = 3  # the most settings in a headline, and the most names in a sentence


def headline(run: Run, summary: Summary) -> str:
    """Return the result in one line: that of the confirmation if the run was confirmed."""
    best = summary.winner
    if best is None:
        failed = summary.counts.get("failed", 0)
        if failed == len(run.trials):
            return f"All {count(failed, 'trial')} failed"
        return "No trial has ended yet"
    if (sets := label_sets(run)) > 1:
        return f"Trials on {number(sets)} label sets, to be compared within each"
    if summary.confirmation is not None:
        return _confirmed_headline(summary, summary.confirmation)
    if best.is_baseline:
        if not summary.searched_ended:
            return "Only the baseline has ended so far"
        return f"Nothing searched beats the {plain(best.label)} baseline"
    if not best.settings or len(best.settings) > _SHORT:
        text = f"Trial {plain(best.trial)} ({plain(best.label)}) is the best"
    else:
        text = f"{_joined(best.settings)} is the best setting"
    text += " so far" if summary.waiting else " found"
    text += f", in the mean of {count(best.seeds, 'seed')}" if best.seeds > 1 else ""
    return text + (f", level with {_level(summary)}" if summary.level else "")


def _confirmed_headline(summary: Summary, confirmation: Confirmation) -> str:
    leader, ties = confirmation.leader, confirmation.ties
    seeds = count(leader.n, "fresh seed")
    name = _subject(summary.confirmed, leader.trial)
    if leader.low is None:
        return f"{name} scores best on {seeds}"
    if leader.is_baseline and all(tie.is_baseline for tie in ties):
        return f"Nothing searched beats {name[0].lower()}{name[1:]} on {seeds}"
    if not ties:
        return f"{name} is the best on {seeds}"
    names = [f"the baseline {tie.trial}" if tie.is_baseline else tie.trial for tie in ties]
    others = listed(names) if len(ties) <= _SHORT else count(len(ties), "other trial")
    return f"{name} leads on {seeds}, level with {plain(others)}"


def _subject(candidate: Candidate | None, trial: str) -> str:
    """Return a trial as the subject of a headline."""
    if candidate is None:
        return f"Trial {plain(trial)}"
    if candidate.is_baseline:
        return f"The {plain(candidate.label)} baseline"
    if candidate.settings and len(candidate.settings) <= _SHORT:
        return _joined(candidate.settings)
    return f"Trial {plain(trial)} ({plain(candidate.label)})"


def _level(summary: Summary) -> str:
    """Return a sentence on the trials whose scores differ from the winner's only by noise."""
    reference, others = summary.baseline, list(summary.level)
    names = []
    if reference is not None and reference.trial in others:
        others.remove(reference.trial)
        names.append(f"the {plain(reference.label)} baseline")
    if others:
        repeated = summary.winner is not None and summary.winner.seeds > 1
        names.append(count(len(others), "other setting" if repeated else "other trial"))
    return listed(names)


def lead(run: Run, summary: Summary) -> str:
    """Return the result in two or three sentences."""
    best = summary.winner
    if best is None:
        errors = run.trials["error"].dropna().tolist() if "error" in run.trials else []
        common = f" The most common error: {plain(mode(errors))}." if errors else ""
        return f"There is nothing to rank.{common} The table below shows how each trial ended."
    if label_sets(run) > 1:
        return (
            "Scores on different labels are not comparable, so this run has no overall winner. "
            "What follows about the best trial is about the best of its own label set."
        )
    if summary.confirmation is None:
        return _searched(run, summary, best)
    return f"{_confirmed(run, summary.confirmation)} {_searched(run, summary, best)}"


def _searched(run: Run, summary: Summary, best: Candidate) -> str:
    """Return a sentence on the result of the search, with the seed of each trial."""
    name = run.objective.metric
    compared = None if best.is_baseline else summary.baseline
    seeds = "one seed" if best.seeds == 1 else count(best.seeds, "seed")
    where = "" if summary.confirmation is None else f"In the search itself, on {seeds}, "
    if best.seeds == 1:
        text = f"{where}{'t' if where else 'T'}rial {plain(best.trial)} reaches "
    else:
        text = f"{where}{'i' if where else 'I'}t reaches "
    text += reached(name, best.score)
    text += f" (mean of {count(best.seeds, 'seed')}{spread(name, best)})" if best.seeds > 1 else ""
    if compared is not None:
        text += f", {better(name, summary.gain)} than the {plain(compared.label)} baseline"
        text += f" ({score(name, compared.score)})"
    text += "."
    if not is_missing(best.test_accuracy):
        text += (
            f" On the test images, which are not used for selection, it gets "
            f"<b>{score('test_accuracy', best.test_accuracy)}</b>"
        )
        if compared is not None and not is_missing(compared.test_accuracy):
            text += f" and the baseline {score('test_accuracy', compared.test_accuracy)}"
        text += "."
    return text


def _confirmed(run: Run, confirmation: Confirmation) -> str:
    """Return a sentence on the result with fresh seeds, which is the one to publish."""
    name, leader, ties = run.objective.metric, confirmation.leader, confirmation.ties
    who = f"the baseline {plain(leader.trial)}" if leader.is_baseline else plain(leader.trial)
    text = f"On {count(leader.n, 'fresh seed')} {who} gets {reached(name, leader.mean)}"
    if leader.low is None:
        return f"{text}; one seed does not show the spread."
    low, high = score(name, leader.low), score(name, leader.high)
    text += f" in the mean (95% interval {low} to {high})"
    if leader.probability_best is not None:
        text += f" and is the best of those retrained with {leader.probability_best:.0%} "
        text += "probability"
    text += ": the score to publish."
    if ties:
        names = plain(_short([tie.trial for tie in ties]))
        text += f" It is statistically indistinguishable from {names}."
    best = confirmation.searched
    if leader.is_baseline and best is not None:
        text += f" The best searched trial, {plain(best.trial)}, gets {score(name, best.mean)}."
    return text


def reached(name: str, value: float | None) -> str:
    """Return ``<b>48.4%</b> validation accuracy``, or with a unit ``<b>0.62 nats</b> of ...``."""
    about = metric(name)
    of = f" {about.unit}</b> of" if about.unit else "</b>"
    return f"<b>{score(name, value)}{of} {about.title}"


def spread(name: str, of: Candidate) -> str:
    """Return ``, standard deviation 0.8 points``; empty for a single seed."""
    return "" if of.sd is None else f", standard deviation {difference(name, of.sd)}"


def better(name: str, gain: float) -> str:
    """Return ``11.9 points better``; ``worse`` for a negative gain."""
    return f"{difference(name, abs(gain))} {'better' if gain >= 0 else 'worse'}"


def _short(names: Sequence[str]) -> str:
    rest = [count(len(names) - _SHORT, "other")] if len(names) > _SHORT else []
    return listed([*names[:_SHORT], *rest])


def _joined(settings: dict[str, Any]) -> str:
    parts = [
        f'<span class="setting">{plain(path)} {plain(number(value))}</span>'
        for path, value in settings.items()
    ]
    return " with ".join([parts[0], listed(parts[1:])] if parts[1:] else parts)
