"""Evaluate retraining on fresh seeds: the score of each trial, and whether it is the best.

Each trial has one score per seed (``tune_robust.statistics`` describes their comparison).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tune_robust.formatting import listed
from tune_robust.metrics import Mode, metric, sign_of
from tune_robust.statistics import Estimate, Scores, estimate, gain, probability_best


@dataclass(frozen=True)
class Retrained:
    """A trial of a search with its scores on fresh seeds.

    ``labels`` identifies the label set: only trials with the same one are comparable.
    ``search_score`` is the score in the search, None if it was stopped early. ``failed`` has the
    seeds with which it failed. The test accuracies are not used for selection.
    """

    trial: str
    origin: str
    values: Mapping[str, Any]
    labels: str
    search_score: float | None
    scores: Scores
    failed: tuple[int, ...] = ()
    search_test_accuracy: float | None = None
    test_accuracies: Scores | None = None


@dataclass(frozen=True)
class Judged:
    """A retrained trial in comparison with the others of its label set.

    ``behind`` is the paired gain of the best trial over it, None for the best trial itself.
    ``optimism`` is by how much its score in the search was better than its mean.
    """

    of: Retrained
    score: Estimate | None
    behind: Estimate | None
    probability_best: float | None
    optimism: float | None
    test_accuracy: Estimate | None
    test_optimism: float | None
    leads: bool


def judge(
    retrained: Sequence[Retrained], scored_by: str, mode: Mode, ceiling: float = math.inf
) -> list[Judged]:
    """Compare each trial with those of its label set, best mean first.

    ``scored_by``: the metric whose values the scores are; the intervals are within its bounds.
    ``ceiling``: what a perfect model scores, above which no interval extends.
    Trials that failed on a seed come after the others, and trials without a score come last.
    """
    sets = dict.fromkeys(trial.labels for trial in retrained)
    return [
        judged
        for labels in sets
        for judged in _judge_set(
            [t for t in retrained if t.labels == labels], scored_by, mode, ceiling
        )
    ]


def _judge_set(
    retrained: Sequence[Retrained], scored_by: str, mode: Mode, ceiling: float
) -> list[Judged]:
    sign, bounds = sign_of(mode), metric(scored_by).bounds
    possible = (bounds[0], min(bounds[1], ceiling))
    scores = ((trial, estimate([*trial.scores.values()], possible)) for trial in retrained)
    scored = [(trial, score) for trial, score in scores if score is not None]
    scored.sort(key=lambda pair: (bool(pair[0].failed), -sign * pair[1].mean))
    chances = probability_best([trial.scores for trial, _ in scored], mode)
    judged = []
    for place, (trial, score) in enumerate(scored):
        test = estimate([*(trial.test_accuracies or {}).values()], metric("test_accuracy").bounds)
        judged.append(
            Judged(
                of=trial,
                score=score,
                behind=gain(scored[0][0].scores, trial.scores, mode, bounds) if place else None,
                probability_best=chances[place] if chances else None,
                optimism=_above(trial.search_score, score, sign),
                test_accuracy=test,
                test_optimism=_above(trial.search_test_accuracy, test, 1),
                leads=place == 0,
            )
        )
    unscored = [t for t in retrained if not t.scores]
    return judged + [Judged(t, None, None, None, None, None, None, False) for t in unscored]


def _above(search_score: float | None, confirmed: Estimate | None, sign: int) -> float | None:
    if search_score is None or confirmed is None:
        return None
    return sign * (search_score - confirmed.mean)


def conclusion(judged: Sequence[Judged], metric: str) -> str:
    """Return the conclusion as text, with a paragraph for each label set."""
    sets = dict.fromkeys(j.of.labels for j in judged)
    return "\n".join(_conclude([j for j in judged if j.of.labels == s], metric) for s in sets)


def _conclude(judged: Sequence[Judged], metric: str) -> str:
    leader, others = judged[0], judged[1:]
    if leader.score is None:
        names = listed([j.of.trial for j in judged])
        return f"{names} failed on every fresh seed: there is nothing to confirm."
    return " ".join(
        filter(
            None,
            [
                _leader_words(leader, leader.score, metric),
                _others_words([j for j in others if j.score]),
                _baseline_words(leader, others),
                _optimism_words(leader, leader.score),
                _failed_words(judged),
            ],
        )
    )


def _leader_words(leader: Judged, score: Estimate, metric: str) -> str:
    name = leader.of.trial
    of = f"{name}, a baseline," if leader.of.origin == "baseline" else name
    if score.low is None:
        return (
            f"{of} has {metric} {score.mean:.3f} on one fresh seed, which does not show "
            "the spread: confirm with --seeds 5."
        )
    return (
        f"{of} has the best mean {metric}: {score.mean:.3f}, 95 % interval {score.low:.3f} to "
        f"{score.high:.3f} over {score.n} fresh seeds."
    )


def _others_words(others: Sequence[Judged]) -> str:
    differences = [(j.of.trial, j.behind) for j in others if j.behind is not None]
    behind = [(name, by) for name, by in differences if by.low is not None]
    if not behind:
        return ""
    close = [name for name, by in behind if not by.excludes_zero]
    if not close:
        each = "the other" if len(behind) == 1 else f"each of the other {len(behind)}"
        return (
            f"It is better than {each}, seed by seed: no 95 % interval of a paired difference "
            "contains 0."
        )
    return (
        f"It is statistically indistinguishable from {listed(close)}: with these seeds, the 95 % "
        "intervals of their paired differences contain 0. More --seeds would narrow them."
    )


def _baseline_words(leader: Judged, others: Sequence[Judged]) -> str:
    baselines = [j for j in others if j.of.origin == "baseline"]
    behind = [(j.behind, j.of.trial) for j in baselines if j.behind is not None]
    if leader.of.origin == "baseline" or not behind:
        return ""
    by, nearest = min(behind, key=lambda pair: pair[0].mean)
    between = "" if by.low is None else f" ({by.low:.3f} to {by.high:.3f})"
    return f"Its gain over the baseline {nearest} is {by.mean:.3f}{between}."


def _optimism_words(leader: Judged, score: Estimate) -> str:
    if leader.optimism is None or score.n < 2:
        return ""
    off = "better" if leader.optimism > 0 else "worse"
    return (
        f"The search had scored it {leader.of.search_score:.3f}, {abs(leader.optimism):.3f} {off} "
        "than this mean: publish the mean."
    )


def _failed_words(judged: Sequence[Judged]) -> str:
    failed = [f"{j.of.trial} on {len(j.of.failed)}" for j in judged if j.of.failed]
    return f"Fresh seeds that failed are left out: {listed(failed)}." if failed else ""
