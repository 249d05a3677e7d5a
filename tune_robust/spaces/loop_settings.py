"""Spaces of a loop of the user's own: all that they name are the loop's settings.

``train: {loop: "my_loop:train", epochs: 20, width: 8}`` with ``search: {rho: ...}`` is short for
``train: {loop: {name: "my_loop:train", width: 8}, epochs: 20}`` with ``search: {loop.rho: ...}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tune_robust.config import LOOP_SETTINGS
from tune_robust.errors import Problem, unknown
from tune_robust.metrics import AGAINST, DIAGNOSTIC, OBJECTIVES
from tune_robust.spaces.overrides import SpaceOverrides

SEARCHER = "tpe"
"""The default searcher: a loop may not save checkpoints, so that its trials are stopped by ASHA
instead of paused, and with ASHA tpe was better than gp_mf (docs/performance.md)."""


def has_loop(document: Mapping[str, Any]) -> bool:
    """Whether the trials of a space train by a loop of the user's own."""
    train = document.get("train")
    return isinstance(train, Mapping) and train.get("loop") is not None


def expand_loop_settings(document: dict[str, Any], done: SpaceOverrides) -> None:
    """Spell out the short form in ``document``, and in what overrides ``done`` did to it.

    Also choose the searcher, if there is none.
    """
    if not has_loop(document):
        return
    document["train"] = _train(document["train"])
    search = document.get("search")
    if isinstance(search, Mapping):
        document["search"] = {_path(path): _dimension(given) for path, given in search.items()}
    for section in ("known", "baselines"):
        points = document.get(section)
        if isinstance(points, list):
            document[section] = [_renamed(point) for point in points]
    for paths in (done.train, done.search, done.removed):
        paths[:] = map(_path, paths)
    searcher = document.get("searcher") or {}
    if isinstance(searcher, Mapping):
        document["searcher"] = {"name": SEARCHER, **searcher}


def _train(train: Mapping[str, Any]) -> dict[str, Any]:
    given = train["loop"]
    loop = dict(given) if isinstance(given, Mapping) else {"name": given}
    own = {key: value for key, value in train.items() if key not in LOOP_SETTINGS}
    rest = {key: value for key, value in train.items() if key in LOOP_SETTINGS}
    return {**rest, "loop": {**loop, **own}}


def _path(path: Any) -> Any:
    own = isinstance(path, str) and path.partition(".")[0] not in LOOP_SETTINGS
    return f"loop.{path}" if own else path


def _dimension(given: Any) -> Any:
    if isinstance(given, list):
        return [_dimension(each) for each in given]
    if isinstance(given, Mapping) and isinstance(given.get("when"), Mapping):
        return {**given, "when": _renamed(given["when"])}
    return given


def _renamed(point: Any) -> Any:
    if not isinstance(point, Mapping):
        return point
    return {_path(path): value for path, value in point.items()}


def loop_problems(document: Mapping[str, Any]) -> list[Problem]:
    """What a space with a loop must say beside it."""
    train, search = document["train"], document.get("search")
    searched = isinstance(search, Mapping) and "epochs" in search
    if "epochs" in train or searched:
        return []
    message = (
        "is required beside loop: after so many reports a trial is over. A loop that returns "
        "earlier is over then"
    )
    return [Problem("train.epochs", message)]


def metric_problems(document: Mapping[str, Any]) -> list[Problem]:
    """Objectives that there are not; a loop may report metrics of its own.

    Those that must not choose are refused by ``sections.Objective``.
    """
    given = document.get("objective")
    objective = given if isinstance(given, Mapping) else {}
    metric, against = objective.get("metric") or "val_accuracy", objective.get("against")
    weighed = against if isinstance(against, list | tuple) else ()
    wanted = [("metric", metric, OBJECTIVES), *(("against", name, AGAINST) for name in weighed)]
    missing = [
        (key, name, known)
        for key, name, known in wanted
        if isinstance(name, str) and name not in known and name not in DIAGNOSTIC
    ]
    if not has_loop(document):
        return [
            Problem(f"objective.{key}", unknown("objective", name, known))
            for key, name, known in missing
        ]
    if missing and missing[0][0] == "metric" and objective.get("mode") is None:
        message = f"is required for {metric}, a metric of the loop: max or min"
        return [Problem("objective.mode", message)]
    return []
