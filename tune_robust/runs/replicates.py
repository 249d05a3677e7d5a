"""Trials that differ in nothing but the seed: one setting, repeated."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tune_robust.runs.trial import Trial

SEED = "seed"
"""The searched path by which a grid repeats its settings."""

_NO_SETTING = (SEED, "threads")


def setting_of(origin: str, config: Mapping[str, Any]) -> str:
    """What a trial was, as text: equal for trials of one setting with several seeds or folds."""
    data = {k: v for k, v in (config.get("data") or {}).items() if k not in (SEED, "fold")}
    rest = {k: v for k, v in config.items() if k not in _NO_SETTING}
    return json.dumps([origin, rest | {"data": data}], sort_keys=True)


def by_setting(trials: Iterable[Trial]) -> list[list[Trial]]:
    """The trials of each setting where seeds are repeated; otherwise each trial by itself.

    Seeds are repeated by a grid, by a confirmation, and by a search with ``budget.repeats``.
    """
    trials = list(trials)
    if not any(SEED in trial.values or trial.confirms or trial.repeats for trial in trials):
        return [[trial] for trial in trials]
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(setting_of(trial.origin, trial.config), []).append(trial)
    return list(groups.values())
