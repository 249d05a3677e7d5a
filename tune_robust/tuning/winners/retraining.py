"""Retrain the winners of a search on fresh seeds.

A confirmation is an ordinary run in the folder ``confirm`` of the run that it confirms. All its
trials are in its store before the first one starts: the configurations of the confirmed trials,
with the complete budget and another ``seed`` and ``data.seed``. They run seed by seed, so that an
interrupted confirmation has a complete comparison on the finished seeds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from tune_robust.config import DataConfig
from tune_robust.errors import UserError, unknown
from tune_robust.runs.documents import read_document, write_document
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.provenance import provenance
from tune_robust.runs.reader import read_trials
from tune_robust.runs.store import RunStore
from tune_robust.runs.trial import Trial
from tune_robust.spaces.dimensions import varies_labels
from tune_robust.spaces.objective import Objective, objective_of
from tune_robust.spaces.sections import Budget
from tune_robust.spaces.space import Space
from tune_robust.statistics import Estimate
from tune_robust.tuning.winners.confirmation import Judged, Retrained, conclusion, judge
from tune_robust.tuning.winners.export import ranked

FOLDER = "confirm"
SUMMARY = "confirmation.json"
_FIRST_SEEDS = 1000
_DRAWN = ("symmetric", "asymmetric", "instance")


class _Summary(BaseModel):
    """The parts of ``confirmation.json`` that ``status`` needs."""

    conclusion: str
    trials: list[dict[str, Any]]


def confirmation_of(source: RunFolder) -> RunFolder:
    """Return the folder of a run's confirmation, whether or not it exists."""
    return source.inside(FOLDER)


def confirmed_by(folder: RunFolder) -> RunFolder:
    """Return the run that ``folder`` confirms.

    Raises:
        UserError: ``folder`` is a search.
    """
    if "confirms" not in folder.read_meta():
        raise UserError(f"{folder.place} is a search, not the confirmation of one.")
    return folder.outside()


def choose(
    trials: Mapping[str, Trial],
    objective: Objective,
    *,
    top: int,
    named: Sequence[str] = (),
    baselines: bool = True,
) -> list[Trial]:
    """Return the trials to confirm: ``named`` ones, the ``top`` of each label set, baselines.

    Raises:
        UserError: there is no trial with that name, or no trial with a result.
    """
    for name in named:
        if name not in trials:
            raise UserError(f"--trial: {unknown('trial', name, trials)}")
    best = ranked(trials.values(), objective)
    chosen = {name: trials[name] for name in named}
    by_labels: dict[str, list[Trial]] = {}
    for trial in best:
        if trial.origin != "baseline":
            by_labels.setdefault(label_set(trial), []).append(trial)
    for leaders in by_labels.values():
        chosen |= {trial.name: trial for trial in leaders[:top]}
    if baselines:
        chosen |= {trial.name: trial for trial in best if trial.origin == "baseline"}
    return list(chosen.values())


def label_set(trial: Trial) -> str:
    """Return a text that identifies the labels of a trial; equal ones are comparable."""
    # Without options: trials of earlier versions have none.
    data = ((k, v) for k, v in trial.config["data"].items() if v != {})
    return json.dumps({k: v for k, v in data if varies_labels(f"data.{k}")}, sort_keys=True)


def open_confirmation(source: RunFolder) -> RunStore:
    """Open the confirmation of ``source`` for writing; a new one has no trials yet.

    Raises:
        UserError: another process is working on it.
    """
    folder = confirmation_of(source)
    if folder.meta.exists():
        _confirms(folder)
        return RunStore(folder)
    confirms = {"run": source.path.resolve().name, "trials": [], "seeds": []}
    return create_inside(source, folder, confirms=confirms)


def create_inside(source: RunFolder, folder: RunFolder, **meta: Any) -> RunStore:
    """Create a run without trials in the folder of ``source``, with its space and its own code."""
    taken = {key: v for key, v in source.read_meta().items() if key in ("space", "code")}
    return RunStore.create(folder, {**taken, **meta, **provenance()})


def discard_empty(source: RunFolder) -> None:
    """Delete the confirmation of ``source`` if it never began: it has no trial."""
    drop_inside_unless(source, confirmation_of(source), lambda folder: _confirms(folder)["trials"])


def drop_inside_unless(
    source: RunFolder, folder: RunFolder, begun: Callable[[RunFolder], object]
) -> None:
    """Delete the run in the folder of ``source`` unless it is live or ``begun`` finds anything."""
    # One that cannot be read is kept.
    with suppress(UserError, OSError):
        if not folder.is_live() and not begun(folder):
            source.drop_inside(folder.path)


def _confirms(folder: RunFolder) -> dict[str, Any]:
    """Return what the confirmation in ``folder`` retrains."""
    confirms = folder.read_meta().get("confirms")
    if confirms is None:
        raise UserError(
            f"{folder.meta} does not say which trials it confirms. Restore it from a copy, or move "
            f"{folder.place} away and confirm again."
        )
    return confirms


@dataclass(frozen=True)
class Extension:
    """What is to be added to a run that retrains trials of another one.

    ``meta`` has the new entries of run.json, and ``space`` is the space of all its trials.
    ``missing`` has the (original trial, configuration) of each trial that is not recorded yet.
    """

    meta: Mapping[str, Any]
    space: Space
    missing: Sequence[tuple[Trial, dict[str, Any]]]

    def record(self, store: RunStore) -> None:
        """Record it in the store of the run that retrains."""
        store.update_meta(space=self.space.document(), **self.meta)
        for trial, config in self.missing:
            store.add_trial("confirmation", trial.values, config, confirms=trial.name)


def extension_of(store: RunStore, trials: Iterable[str] = (), seeds: int = 0) -> Extension:
    """Return what a confirmation lacks to have at least these trials and seeds.

    Trials and seeds of an earlier command are kept; what a crash left out is added, too.

    Raises:
        UserError: a trial to add is no longer in the run that it comes from.
    """
    before = _confirms(store.folder)
    names = list(dict.fromkeys([*before["trials"], *trials]))
    more, have = seeds - len(before["seeds"]), _pairs(store)
    asked = list(before["seeds"])
    complete = more <= 0 and all((name, seed) in have for name in names for seed in asked)
    known = {} if complete else read_trials(confirmed_by(store.folder))
    if more > 0:
        used = [s for t in known.values() for s in (t.config["seed"], t.config["data"]["seed"])]
        asked += _fresh(more, used + asked)
    missing = []
    for name, seed in ((n, s) for s in asked for n in names if (n, s) not in have):
        if name not in known:
            raise _not_there(store.folder, name)
        config = known[name].config
        data = {**config["data"], "seed": seed}
        missing.append((known[name], {**config, "data": data, "seed": seed}))
    space = retraining_space(store, len(names) * len(asked))
    confirms = {**before, "trials": names, "seeds": asked}
    return Extension({"confirms": confirms}, space, missing)


def _not_there(folder: RunFolder, name: str) -> UserError:
    return UserError(
        f"{folder.place} confirms {name} of the run {_confirms(folder)['run']!r}, which no longer "
        "contains it. A confirmation belongs in the folder of its run; if the run has lost the "
        "trial, move the confirmation away and confirm again."
    )


def _pairs(store: RunStore) -> set[tuple[str | None, int]]:
    """Return the (confirmed trial, seed) of each trial of a confirmation."""
    return {(trial.confirms, trial.config["seed"]) for trial in store.trials.values()}


def _fresh(count: int, used: Sequence[int]) -> list[int]:
    """Return ``count`` seeds above all ``used`` ones, which a longer search would not use."""
    first = max(_FIRST_SEEDS, *(seed + 1 for seed in used))
    return [*range(first, first + max(0, count))]


def retraining_space(store: RunStore, trials: int) -> Space:
    """Return the space of a run that proposes no trials but those recorded, and stops none."""
    space = Space.from_document(store.meta["space"])
    budget = space.budget
    kept = {name: getattr(budget, name) for name in ("unit", "max", "rounds")}
    planned = Budget(trials=trials, scheduler="none", **kept)
    return space.model_copy(update={"budget": planned, "known": (), "baselines": ()})


def what_varies(data: DataConfig) -> list[str]:
    """Return what a fresh seed changes; labels from annotators or files stay the same."""
    varies = ["network", "split"]
    if data.noise.kind in _DRAWN:
        varies.append("noise draw")
    return varies if data.subset is None else [*varies, "subset"]


def judged_trials(folder: RunFolder) -> list[Judged]:
    """Return the trials of a confirmation, compared by the results so far."""
    source, space = confirmed_by(folder), Space.from_document(folder.read_meta()["space"])
    objective, known = objective_of(space), read_trials(source)
    again: dict[str, list[Trial]] = {}
    for trial in read_trials(folder).values():
        if trial.confirms is not None:
            again.setdefault(trial.confirms, []).append(trial)
    if lost := [name for name in again if name not in known]:
        raise _not_there(folder, lost[0])
    retrained = [_retrained(known[name], again[name], objective) for name in again]
    ceiling = _ceiling(source.read_meta(), objective.metric, retrained)
    return judge(retrained, objective.metric, objective.mode, ceiling)


def _ceiling(meta: Mapping[str, Any], name: str, retrained: Iterable[Retrained]) -> float:
    """Return what a perfect model scores on the validation labels, of which some are wrong.

    Infinite if that is unknown, or if a score is above it by two standard errors: then the wrong
    labels themselves can be predicted.
    """
    wrong = (meta.get("wrong_labels") or {}).get("validation")
    images = (meta.get("images") or {}).get("validation")
    if name != "val_accuracy" or not wrong or not images:
        return math.inf
    ceiling = 1 - wrong
    clearly_above = ceiling + 2 * math.sqrt(ceiling * wrong / images)
    exceeded = any(score > clearly_above for trial in retrained for score in trial.scores.values())
    return math.inf if exceeded else ceiling


def _retrained(trial: Trial, again: Sequence[Trial], objective: Objective) -> Retrained:
    done = {t.config["seed"]: objective.scored(t.epochs) for t in again if t.status == "done"}
    in_search = objective.scored(trial.epochs) if trial.status == "done" else {}
    return Retrained(
        trial=trial.name,
        origin=trial.origin,
        values=trial.values,
        labels=label_set(trial),
        search_score=in_search.get(objective.metric),
        scores=_finite({seed: m.get(objective.metric) for seed, m in done.items()}),
        failed=tuple(t.config["seed"] for t in again if t.status == "failed"),
        search_test_accuracy=in_search.get("test_accuracy"),
        test_accuracies=_finite({seed: m.get("test_accuracy") for seed, m in done.items()}),
    )


def _finite(scores: Mapping[int, float | None]) -> dict[int, float]:
    return {s: v for s, v in scores.items() if v is not None and math.isfinite(v)}


def summary(folder: RunFolder) -> dict[str, Any]:
    """Return a confirmation as plain data, best first: the content of ``confirmation.json``."""
    meta = folder.read_meta()
    space = Space.from_document(meta["space"])
    judged, objective = judged_trials(folder), objective_of(space)
    base = DataConfig.model_validate(space.train.get("data", {}))
    return {
        "format": 1,
        **meta["confirms"],
        "metric": objective.metric,
        "mode": objective.mode,
        "at": objective.at,
        "varies": ["loop"] if space.has_loop else what_varies(base),
        "conclusion": conclusion(judged, objective.metric),
        "trials": [_row(j) for j in judged],
    }


def _row(judged: Judged) -> dict[str, Any]:
    of = judged.of
    return {
        "trial": of.trial,
        "origin": of.origin,
        "values": dict(of.values),
        "labels": json.loads(of.labels),
        "leads": judged.leads,
        **_estimate(judged.score),
        "scores": {str(seed): score for seed, score in of.scores.items()},
        "failed_seeds": list(of.failed),
        "probability_best": judged.probability_best,
        "behind_leader": _estimate(judged.behind),
        "search_score": of.search_score,
        "optimism": judged.optimism,
        "test_accuracy": {
            **_estimate(judged.test_accuracy),
            "in_search": of.search_test_accuracy,
            "optimism": judged.test_optimism,
        },
    }


def _estimate(given: Estimate | None) -> dict[str, Any]:
    return {**dict.fromkeys(Estimate._fields), "n": 0} if given is None else given._asdict()


def write_summary(folder: RunFolder) -> dict[str, Any]:
    """Write ``confirmation.json`` and return its content."""
    found = summary(folder)
    write_document(folder.path / SUMMARY, found)
    return found


def read_summary(source: RunFolder) -> dict[str, Any] | None:
    """Return the results of the run's last finished confirmation; None if there is none."""
    path = confirmation_of(source).path / SUMMARY
    remedy = f"`tune-robust confirm {source.place}` writes a new one."
    return read_document(path, _Summary, remedy) if path.is_file() else None
