"""A comparison as text and tables: plain text for the terminal, HTML for the page."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from analysis.comparison.scenes import Comparison, Entry, Place, Scene, noise_axis
from analysis.formatting import (
    MISSING,
    difference,
    number,
    plain,
    score,
    sentence_case,
)
from tune_robust.formatting import count, listed
from tune_robust.metrics import metric
from tune_robust.statistics import Estimate


class Row(NamedTuple):
    """A row of a scene's table.

    ``cost``: the median compute to the scene's level, and the number of repeats that reached it.
    """

    label: str
    runs: int
    at_compute: Estimate | None
    lead: Estimate | None
    final: Estimate | None
    confirmed: Estimate | None
    test_accuracy: Estimate | None
    baseline: Estimate | None
    cost: tuple[float | None, int]


def rows(scene: Scene) -> list[Row]:
    """Return the scene's entries, the best at equal compute first."""
    level = scene.level
    return [
        Row(
            label=entry.label,
            runs=len(entry.repeats),
            at_compute=entry.mean_score(scene.compute),
            lead=scene.lead(entry) if place else None,
            final=entry.mean_final,
            confirmed=entry.confirmed,
            test_accuracy=entry.test_accuracy,
            baseline=entry.baseline,
            cost=entry.cost(level, scene.objective),
        )
        for place, entry in enumerate(scene.ranked)
    ]


def headings(scene: Scene) -> list[str]:
    """Return a description of the cells of a row."""
    name = scene.objective.metric
    return [
        "search",
        "runs",
        f"at {number(scene.compute)} evaluations",
        "behind",
        "at its own end",
        "confirmed",
        f"evaluations to {score(name, scene.level)}",
        "best baseline",
        "test accuracy*",
    ]


def cells(row: Row, scene: Scene) -> list[str]:
    """Return a row as plain text, each mean with its 95 % interval."""
    name = scene.objective.metric
    cost, reached = row.cost
    got_there = "" if reached in (0, row.runs) else f" ({reached} of {row.runs} runs)"
    return [
        row.label,
        str(row.runs),
        _estimate(name, row.at_compute),
        MISSING if row.lead is None else _difference(name, row.lead),
        _estimate(name, row.final),
        _estimate(name, row.confirmed),
        "never" if cost is None else number(cost) + got_there,
        _estimate(name, row.baseline),
        _estimate("test_accuracy", row.test_accuracy),
    ]


def _estimate(name: str, found: Estimate | None) -> str:
    if found is None:
        return MISSING
    return found.as_text(lambda value: score(name, value), lambda value: _bare(name, value))


def _difference(name: str, found: Estimate) -> str:
    return found.as_text(lambda value: _bare(name, value))


def _bare(name: str, value: float) -> str:
    return f"{100 * value:.1f}" if metric(name).is_fraction else number(value)


def conclusion(comparison: Comparison) -> list[str]:
    """Return the conclusion as sentences.

    There are one or two for each scene with several searches, and one for each path whose best
    setting changes with the noise.
    """
    scenes = [scene for scene in comparison.scenes if len(scene.entries) > 1]
    several = len(comparison.scenes) > 1
    said = [(f"{s.label}: " if several else "") + _ahead(s) for s in scenes]
    said += [_moves(comparison, path) for path in comparison.places]
    return said or [_repeats(scene) for scene in comparison.scenes]


def _ahead(scene: Scene) -> str:
    first, *others = scene.ranked
    name = scene.objective.metric
    title, compute = metric(name).title, number(scene.compute)
    at = first.mean_score(scene.compute)
    if at is None:
        return f"after {compute} gradient evaluations, none has a finished trial yet."
    text = (
        f"after {compute} gradient evaluations each, {first.label} has the best {title}, "
        f"{_estimate(name, at)}"
    )
    leads = [(entry, scene.lead(entry)) for entry in others]
    clear = [entry.label for entry, lead in leads if lead and lead.low is not None and lead.low > 0]
    open_ = [e.label for e, lead in leads if lead and lead.low is not None and lead.low <= 0]
    single = [entry.label for entry, lead in leads if lead is not None and lead.low is None]
    parts = [
        f"that is better than {listed(clear)}, with 95% confidence" if clear else "",
        f"it is statistically indistinguishable from {listed(open_)}" if open_ else "",
        f"there are too few runs to compare it with {listed(single)}" if single else "",
    ]
    return "; ".join([text, *filter(None, parts)]) + "." + _beaten(scene)


def _beaten(scene: Scene) -> str:
    """Return a sentence on searches that are worse than their own baseline."""
    names = []
    for entry in scene.entries:
        final, reference = entry.mean_final, entry.baseline
        if final and reference and scene.objective.gain(reference.mean, final.mean) > 0:
            names.append(f"{entry.label} ({score(scene.objective.metric, reference.mean)})")
    return f" A baseline of its own is better than {listed(names)}." if names else ""


def _moves(comparison: Comparison, path: str) -> str:
    places = comparison.places[path]
    rates = noise_axis(comparison.scenes)
    scenes = [s for s in comparison.scenes if any(p.scene is s for p in places)]
    ends = [_median(places, scene) for scene in (scenes[0], scenes[-1])]
    where = (
        [f"{rates[comparison.scenes.index(s)]:.0%} wrong labels" for s in (scenes[0], scenes[-1])]
        if rates
        else [scenes[0].label, scenes[-1].label]
    )
    text = f"the best {path} is {number(ends[0])} at {where[0]} and {number(ends[1])} at {where[1]}"
    first, last = (_span(places, scene) for scene in (scenes[0], scenes[-1]))
    if first and last:
        overlap = first[0] <= last[1] and last[0] <= first[1]
        text += (
            ", but the good ranges overlap: one value may be good for both"
            if overlap
            else ", and the good ranges do not overlap"
        )
    return text + "."


def _median(places: list[Place], scene: Scene) -> float:
    return float(np.median([place.best for place in places if place.scene is scene]))


def _span(places: list[Place], scene: Scene) -> tuple[float, float] | None:
    """Return the lowest and the highest value that some run rates as good as its best."""
    own = [(place.low, place.high) for place in places if place.scene is scene]
    known = [(low, high) for low, high in own if low is not None and high is not None]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else None


def _repeats(scene: Scene) -> str:
    name, entry = scene.objective.metric, scene.entries[0]
    runs, found = count(len(entry.final), "run"), entry.mean_final
    return (
        f"these are {runs} of one search: their best {metric(name).title} is "
        f"{_estimate(name, found)}, from {score(name, min(entry.final))} to "
        f"{score(name, max(entry.final))}."
    )


def notes(comparison: Comparison) -> list[str]:
    """Return remarks on the reliability of the comparison."""
    entries = [(scene, entry) for scene in comparison.scenes for entry in scene.entries]
    remarks = []
    if any(len(entry.repeats) == 1 for _, entry in entries):
        remarks.append(
            "A single run of a search does not show how much its result varies. Repeat it with "
            "other seeds (--set searcher.seed=1 --set train.seed=100); the repeats form a band."
        )
    if any(entry.confirmed is None for _, entry in entries):
        remarks.append(
            "The score of a search is the best of many trials, and therefore optimistic. "
            "`tune-robust confirm` retrains the best trials on fresh seeds."
        )
    if len(comparison.scenes) > 1:
        remarks.append(
            "Scores are comparable only for the same data set, noise and network. Across those, "
            "compare where the best settings lie."
        )
    if any(r.run.meta.get("warm_start") for _, entry in entries for r in entry.repeats):
        remarks.append("The compute of the runs that a warm start learned from is not counted.")
    remarks.append(
        "Compute counts every trial of a run, stopped ones and baselines too. Intervals over runs "
        "are Student's t, of differences Welch's. Columns marked * are not used for selection."
    )
    return remarks


def document(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as plain data, for JSON."""
    return {
        "objective": asdict(comparison.objective),
        "conclusion": conclusion(comparison),
        "scenes": [_scene_document(scene) for scene in comparison.scenes],
        "best_settings": {
            path: [
                {
                    "scene": p.scene.label,
                    "search": p.entry.label,
                    "run": p.run,
                    "best": p.best,
                    "as_good_from": p.low,
                    "as_good_to": p.high,
                }
                for p in places
            ]
            for path, places in comparison.places.items()
        },
    }


def _scene_document(scene: Scene) -> dict[str, Any]:
    return {
        "scene": scene.label,
        "compute": scene.compute,
        "level": scene.level,
        "searches": [
            _row_document(row, entry) for row, entry in zip(rows(scene), scene.ranked, strict=True)
        ],
    }


def _row_document(row: Row, entry: Entry) -> dict[str, Any]:
    plain_row = {
        name: value._asdict() if isinstance(value, Estimate) else value
        for name, value in row._asdict().items()
    }
    cost, reached = plain_row.pop("cost")
    return {
        **plain_row,
        "runs": [repeat.run.name for repeat in entry.repeats],
        "cost_to_level": cost,
        "runs_at_level": reached,
    }


def headline(comparison: Comparison) -> str:
    """Return the result in one line."""
    scenes = [scene for scene in comparison.scenes if len(scene.entries) > 1]
    if len(comparison.scenes) > 1 and comparison.places:
        path = next(iter(comparison.places))
        scale = "the noise" if noise_axis(comparison.scenes) else "the task"
        return f"How the best {plain(path)} moves with {scale}"
    if not scenes:
        return "One search, repeated"
    leads = [scenes[0].lead(entry) for entry in scenes[0].ranked[1:]]
    best = plain(scenes[0].ranked[0].label)
    if all(lead is not None and lead.low is not None and lead.low > 0 for lead in leads):
        return f"{best} is ahead at equal compute"
    known = [lead for lead in leads if lead is not None]
    closest = min(known, key=lambda lead: lead.mean, default=None)
    if closest is None:
        return f"{best} alone has a score at equal compute"
    by = difference(scenes[0].objective.metric, closest.mean)
    if closest.low is None:
        return f"{best} leads by {by} at equal compute; single runs do not show the noise"
    return f"{best} leads by {by} at equal compute, which is within the noise"


def lead(comparison: Comparison) -> str:
    """Return the result in a few sentences, as HTML."""
    return " ".join(plain(sentence_case(sentence)) for sentence in conclusion(comparison))
