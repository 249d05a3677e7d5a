"""Several runs as plain data, compared at equal compute and across label noise.

Runs of one space that differ in their seeds alone are repeats of each other. Scores are comparable
only on the same labels and network; across those, the positions of the best settings are compared.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import TypeAdapter
from scipy import stats

from analysis.figures.best_so_far import cost_of_epochs, settled
from analysis.formatting import number
from analysis.stored.confirmation import read_confirmation
from analysis.stored.ranking import baseline, label_sets, ranking
from analysis.stored.replicates import averaged
from analysis.stored.run import Run, load_run, require_epochs, scored_by, scored_epochs
from analysis.surrogate.robust_region import robust_region
from tune_robust.config import DataConfig, Model
from tune_robust.errors import UserError
from tune_robust.metrics import Bounds, metric
from tune_robust.runs.meta import retrained_run
from tune_robust.spaces.objective import Objective
from tune_robust.statistics import CONFIDENCE, Estimate, estimate, of_differences

_DATA = (
    *("dataset", "options", "label_column", "subset", "test_subset", "test_size"),
    *("image_size", "noise", "validation", "fold"),
)
_OWN_FILES = ("folder", "npz", "parquet", "webdataset")
_SEEDS_AND_SPEED = {
    "": ("name", "description", "resources"),
    "searcher": ("seed",),
    "budget": ("trials",),
    "train": ("seed", "threads", "data", "model"),
}


class Curve(NamedTuple):
    """The best score so far as a step line: ``best`` holds from ``spent`` on, until ``end``.

    ``spent``: gradient evaluations of all trials of the run, baselines included.
    """

    spent: np.ndarray
    best: np.ndarray
    end: float

    def at(self, compute: float) -> float:
        """Return the best score at the given compute; NaN before the first trial has ended."""
        place = int(np.searchsorted(self.spent, compute, side="right"))
        return float(self.best[place - 1]) if place else math.nan

    def reaches(self, level: float, objective: Objective) -> float | None:
        """Return the compute at which the best is ``level`` or better; None if it never is."""
        good = np.flatnonzero(objective.gain(self.best, level) >= 0)
        return float(self.spent[good[0]]) if good.size else None


@dataclass(frozen=True, eq=False)
class Repeat:
    """One run: its curve, its best searched trial, and its confirmation if it has one.

    ``baseline``: the score of its best finished baseline, NaN without one.
    """

    run: Run
    curve: Curve
    winner: pd.Series
    test_accuracy: float
    confirmed: Estimate | None
    baseline: float


@dataclass(frozen=True, eq=False)
class Entry:
    """The repeats of one search on one label set and network."""

    label: str
    repeats: tuple[Repeat, ...]

    @property
    def end(self) -> float:
        """Return the compute that every repeat has used."""
        return min(repeat.curve.end for repeat in self.repeats)

    def scores(self, compute: float) -> list[float]:
        """Return the best score of each repeat that has one at the given compute."""
        values = [repeat.curve.at(compute) for repeat in self.repeats]
        return [value for value in values if not math.isnan(value)]

    def mean_score(self, compute: float) -> Estimate | None:
        """Return the mean of ``scores``; None if no trial had ended by then."""
        return estimate(self.scores(compute), self._bounds)

    @property
    def final(self) -> list[float]:
        """Return the best score of each repeat at its own end."""
        return [float(repeat.curve.best[-1]) for repeat in self.repeats]

    @property
    def mean_final(self) -> Estimate | None:
        """Return the mean of ``final``."""
        return estimate(self.final, self._bounds)

    @property
    def confirmed(self) -> Estimate | None:
        """Return the confirmed mean: of a single run as stored, of several over their means."""
        found = [r.confirmed for r in self.repeats if r.confirmed is not None]
        if len(found) == 1:
            return found[0]
        return estimate([confirmed.mean for confirmed in found], self._bounds)

    @property
    def test_accuracy(self) -> Estimate | None:
        """Return the test accuracy of the winners, which is not used for selection."""
        known = [r.test_accuracy for r in self.repeats if not math.isnan(r.test_accuracy)]
        return estimate(known, metric("test_accuracy").bounds)

    @property
    def baseline(self) -> Estimate | None:
        """Return the mean score of the best baselines of the repeats that have one."""
        known = [r.baseline for r in self.repeats if not math.isnan(r.baseline)]
        return estimate(known, self._bounds)

    def cost(self, level: float, objective: Objective) -> tuple[float | None, int]:
        """Return the median compute to ``level``, and how many of the repeats reach it."""
        reached = [r.curve.reaches(level, objective) for r in self.repeats]
        costs = [cost for cost in reached if cost is not None]
        return (float(np.median(costs)) if costs else None), len(costs)

    @property
    def _bounds(self) -> Bounds:
        return metric(self.repeats[0].run.objective.metric).bounds


@dataclass(frozen=True, eq=False)
class Scene:
    """Entries whose scores are comparable: the same labels, validation part and network.

    ``compute``: what every run has used, at which they are compared. ``level``: the score whose
    cost is measured; by default the best that all of them have reached.
    """

    label: str
    data: dict[str, Any]
    model: dict[str, Any]
    entries: tuple[Entry, ...]
    objective: Objective
    reach: float | None

    @property
    def compute(self) -> float:
        return min(entry.end for entry in self.entries)

    @cached_property
    def ranked(self) -> list[Entry]:
        """Return the entries, the best mean at equal compute first, those without a score last."""
        scores = {entry: entry.scores(self.compute) for entry in self.entries}
        means = {e: float(np.mean(found)) if found else None for e, found in scores.items()}
        return sorted(self.entries, key=lambda entry: self.objective.sort_key(means[entry]))

    @property
    def level(self) -> float:
        if self.reach is not None:
            return self.reach
        finals = [score for entry in self.entries for score in entry.final]
        return max(finals, key=self.objective.sort_key)

    def lead(self, other: Entry) -> Estimate | None:
        """Return how much better the leader is at equal compute, with Welch's interval.

        There is no interval unless both have two repeats or more. None if one of them has no score.
        """
        ours, theirs = self.ranked[0].scores(self.compute), other.scores(self.compute)
        if not ours or not theirs:
            return None
        n = min(len(ours), len(theirs))
        mean = float(self.objective.gain(np.mean(ours), np.mean(theirs)))
        if n < 2 or np.ptp(ours) + np.ptp(theirs) == 0:
            return Estimate(n, mean, None, None, None)
        welch = stats.ttest_ind(ours, theirs, equal_var=False)
        low, high = sorted(
            self.objective.gain(bound, 0.0) for bound in welch.confidence_interval(CONFIDENCE)
        )
        possible = of_differences(metric(self.objective.metric).bounds)
        return Estimate(n, mean, None, float(low), float(high)).within(possible)


class Place(NamedTuple):
    """The best value of one path in a run: ``low`` and ``high`` bound its robust region."""

    scene: Scene
    entry: Entry
    run: str
    best: float
    low: float | None
    high: float | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """The comparable scenes of several runs."""

    objective: Objective
    scenes: tuple[Scene, ...]

    @cached_property
    def places(self) -> dict[str, list[Place]]:
        """Return where each run's best lies, by numeric path searched in at least two scenes."""
        found: dict[str, list[Place]] = {}
        if len(self.scenes) > 1:
            for scene in self.scenes:
                for entry in scene.entries:
                    for repeat in entry.repeats:
                        for path, place in _places(scene, entry, repeat):
                            found.setdefault(path, []).append(place)
        return {p: places for p, places in found.items() if len({x.scene for x in places}) > 1}


_SAME_LABELS = {"val_accuracy", "val_information"}
"""Searches on clean and on noisy labels optimise these; all of them record the accuracy."""


def compare_runs(paths: Sequence[str | Path], *, reach: float | None = None) -> Comparison:
    """Read several runs and group those whose scores are comparable.

    Raises:
        UserError: There are fewer than two runs, one is given twice, unreadable or has no result,
            or a run is comparable to no other. The message says what is comparable.
    """
    folders = [Path(path).expanduser() for path in paths]
    _distinct(folders)
    runs = [load_run(folder) for folder in folders]
    for run in runs:
        require_epochs(run)
    if {run.objective.metric for run in runs} == _SAME_LABELS:
        runs = [scored_by(run, "val_accuracy") for run in runs]
    for run in runs:
        _comparable(run)
    _same_objective(runs)
    scenes = _scenes(runs, reach)
    comparison = Comparison(runs[0].objective, scenes)
    if all(len(scene.entries) + len(scene.entries[0].repeats) == 2 for scene in scenes) and (
        not comparison.places
    ):
        raise UserError(
            "these runs are not comparable: each has other labels or another network ("
            + "; ".join(f"{s.entries[0].repeats[0].run.name}: {s.label}" for s in scenes)
            + "), and no setting was searched in two of them. Compare runs on the same labels, or "
            "searches for the same settings at different noise."
        )
    return comparison


def _distinct(folders: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for folder in folders:
        if folder.resolve() in seen:
            raise UserError(f"the run {folder} is given twice: compare different runs.")
        seen.add(folder.resolve())
    if len(folders) < 2:
        raise UserError("compare needs two runs or more: `tune-robust compare r1 r2`.")


def _comparable(run: Run) -> None:
    if retrained_run(run.meta) is not None:
        kind = "a confirmation" if "confirms" in run.meta else "the folds of an audit"
        raise UserError(
            f"{run.path} is {kind}: give the run itself, {run.path.parent}. Its confirmed scores "
            "are shown with it."
        )
    if label_sets(run) > 1:
        raise UserError(
            f"the run {run.name!r} has several label sets, and therefore no single score. "
            f"`tune-robust report {run.path}` shows it."
        )
    if _candidates(run).empty:
        raise UserError(
            f"the run {run.name!r} has no finished trial to compare yet. See `tune-robust status "
            f"{run.path}`."
        )


def _same_objective(runs: Sequence[Run]) -> None:
    by_objective: dict[Objective, list[str]] = {}
    for run in runs:
        by_objective.setdefault(run.objective, []).append(run.name)
    if len(by_objective) > 1:
        parts = "; ".join(
            f"{', '.join(names)}: {o.metric} ({o.mode}, {o.at} epoch)"
            for o, names in by_objective.items()
        )
        raise UserError(
            f"these runs have different objectives, which are not comparable: {parts}. Compare "
            "those that share an objective."
        )


def _scenes(runs: Sequence[Run], reach: float | None) -> tuple[Scene, ...]:
    families: dict[str, list[Run]] = {}
    for run in runs:
        families.setdefault(_family(run), []).append(run)
    labels = _labels(families)
    scenes: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        scene = scenes.setdefault(json.dumps(_labels_and_network(run), sort_keys=True), {})
        scene.setdefault(_family(run), []).append(run)
    names = _scene_labels([json.loads(key) for key in scenes])
    built = [
        Scene(
            label=name,
            data=json.loads(key)["data"],
            model=json.loads(key)["model"],
            entries=tuple(
                Entry(labels[family], tuple(map(_repeat, members)))
                for family, members in scene.items()
            ),
            objective=runs[0].objective,
            reach=reach,
        )
        for name, (key, scene) in zip(names, scenes.items(), strict=True)
    ]
    return tuple(sorted(built, key=lambda scene: _rate(scene) or 0))


def _rate(scene: Scene) -> float | None:
    return scene.data["noise"].get("rate")


def noise_axis(scenes: Iterable[Scene]) -> list[float] | None:
    """Return the noise rates if the scenes differ in nothing else; otherwise None."""
    scenes = list(scenes)
    rest = {
        json.dumps([{**s.data, "noise": {**s.data["noise"], "rate": 0}}, s.model], sort_keys=True)
        for s in scenes
    }
    rates = [rate for rate in map(_rate, scenes) if rate is not None]
    return rates if len(rest) == 1 and len(rates) == len(scenes) else None


def _labels_and_network(run: Run) -> dict[str, Any]:
    """Return the settings on which scores depend, except the method, by their current names."""
    config = json.loads(run.trials["config"].iloc[0])
    if config.get("loop") is not None:
        return _own_loop(run, config["loop"])
    config["data"] = DataConfig.model_validate(config["data"]).model_dump(mode="json")
    config["model"] = TypeAdapter(Model).validate_python(config["model"]).model_dump(mode="json")
    data = {name: config["data"][name] for name in _DATA}
    if isinstance(file := data["noise"].get("file"), str):
        data["noise"] = {**data["noise"], "file": Path(file).name}
    if data["dataset"] in _OWN_FILES:
        data["dir"] = config["data"]["dir"]
    return {"data": data, "model": config["model"]}


def _own_loop(run: Run, loop: dict[str, Any]) -> dict[str, Any]:
    """Return the same for a user's own loop: its name, and the settings that all trials share."""
    fixed = {k: v for k, v in loop.items() if f"loop.{k}" not in run.searched}
    data = {"dataset": fixed.pop("name", loop["name"]), "noise": {"kind": _BY_THE_LOOP}}
    return {"data": data, "model": fixed}


_BY_THE_LOOP = "by the loop"
"""The kind of label noise if only the user's loop knows it."""


def _family(run: Run) -> str:
    """Return the space as JSON, without data, network, seeds and what only changes the speed."""
    space = json.loads(json.dumps(run.space))
    for section, names in _SEEDS_AND_SPEED.items():
        part = space.get(section, {}) if section else space
        for name in names:
            part.pop(name, None)
    return json.dumps(space, sort_keys=True)


def _labels(families: dict[str, list[Run]]) -> dict[str, str]:
    """Return the name of each space, with the settings that differ where several have one name."""
    flat = {key: _flat(json.loads(key)) for key in families}
    names = {key: members[0].space.get("name", "?") for key, members in families.items()}
    labels = {}
    for key in families:
        alike = [flat[other] for other in families if names[other] == names[key]]
        differing = [p for p in flat[key] if any(o.get(p) != flat[key][p] for o in alike)]
        words = [
            f"{p.removeprefix('train.').removesuffix('.name')} {number(flat[key][p])}"
            for p in differing
        ]
        own = ", ".join(words) if len(words) <= 2 else families[key][0].name
        labels[key] = f"{names[key]} ({own})" if own else names[key]
    return labels


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value and not prefix.startswith("search."):
        return {
            path: inner
            for key, item in value.items()
            for path, inner in _flat(item, f"{prefix}{key}.").items()
        }
    plain = isinstance(value, str | int | float | None)
    return {prefix.removesuffix("."): value if plain else json.dumps(value)}


def _scene_labels(scenes: Sequence[dict[str, Any]]) -> list[str]:
    """Return data set and noise of each scene, and whatever else distinguishes them."""
    flat = [_flat(scene) for scene in scenes]
    paths = dict.fromkeys(path for scene in flat for path in scene)
    differing = [p for p in paths if len({json.dumps(scene.get(p)) for scene in flat}) > 1]
    said = ("data.dataset", "data.noise.rate", "data.noise.kind")
    labels = []
    for scene in flat:
        rate, kind = scene.get("data.noise.rate"), scene.get("data.noise.kind")
        kind = "no" if kind == "none" else kind
        noise = f"{rate:.0%} {kind} noise" if rate is not None else f"{kind} noise"
        rest = [f"{p.partition('.')[2]} {number(scene.get(p))}" for p in differing if p not in said]
        about = [scene["data.dataset"], *([] if kind == _BY_THE_LOOP else [noise]), *rest]
        labels.append(", ".join(map(str, about)))
    return labels


def _repeat(run: Run) -> Repeat:
    candidates = _candidates(run)
    best = candidates.sort_values("objective", ascending=run.objective.ascending).iloc[0]
    epochs = averaged(run).epochs
    scored = scored_epochs(epochs[epochs["trial"] == best["trial"]], run.objective)
    test = scored["test_accuracy"].iloc[0] if "test_accuracy" in scored else math.nan
    reference = baseline(run)
    return Repeat(
        run=run,
        curve=_curve(run, candidates),
        winner=best,
        test_accuracy=float(test),
        confirmed=_confirmed(run),
        baseline=math.nan if reference is None else float(reference["objective"]),
    )


def _candidates(run: Run) -> pd.DataFrame:
    """Return the trials that the search itself proposed; baselines only use compute."""
    table = ranking(run).table
    return table[(table["origin"] != "baseline") & table["objective"].notna()]


def _curve(run: Run, candidates: pd.DataFrame) -> Curve:
    epochs = run.epochs
    total = cost_of_epochs(run, epochs).cumsum()
    until = total.groupby(epochs["trial"]).max()
    ended = settled(run, until)
    ended = ended[ended["trial"].isin(candidates["trial"])]
    scores = ended["objective"]
    best = run.objective.best_so_far(scores)
    return Curve(ended["spent"].to_numpy(float), best, float(total.max()))


def _confirmed(run: Run) -> Estimate | None:
    """Return the confirmed score of the best trial that the search itself proposed."""
    confirmation = read_confirmation(run)
    searched = confirmation and confirmation.searched
    return searched.estimate if searched else None


def _places(scene: Scene, entry: Entry, repeat: Repeat) -> Iterable[tuple[str, Place]]:
    run, region = repeat.run, robust_region(repeat.run)
    bounds = region.bounds if region else {}
    for dimension in run.dimensions:
        best = repeat.winner[dimension.path]
        if dimension.is_numeric and not pd.isna(best):
            low, high = bounds.get(dimension.path, (None, None))
            yield dimension.path, Place(scene, entry, run.name, float(best), low, high)
