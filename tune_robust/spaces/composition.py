"""Compose a trial's configuration from a space's ``train`` section and the trial's values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tune_robust.config import PRESETS
from tune_robust.spaces.paths import nested_copy, set_path

PARTS = tuple(dict.fromkeys(part for preset in PRESETS.values() for part in preset))
"""The parts of a method: sam, saner, sals, law, loss, mixup, average and bootstrap_rounds."""


def has_part(method: Any, part: str) -> bool:
    """Return whether the preset ``method`` fills in ``part``; None fills in nothing."""
    return isinstance(method, str) and part in PRESETS.get(method, {})


def method_parts(train: Mapping[str, Any], searched_methods: Iterable[Any]) -> frozenset[str]:
    """Return the parts that belong to the methods of a space rather than to all of its trials.

    These are the parts of its own method and of the methods that it searches. Any other part is an
    addition that every trial keeps (``method: sam`` with ``sals: {}``). If no method is named, the
    given parts make up the method.
    """
    methods = [m for m in (train.get("method"), *searched_methods) if m is not None]
    return frozenset(p for p in PARTS if not methods or any(has_part(m, p) for m in methods))


def compose(
    train: Mapping[str, Any], values: Mapping[str, Any], own_parts: frozenset[str]
) -> dict[str, Any]:
    """Return ``train`` with ``values`` (by dotted path) applied to it.

    A method among the values replaces the space's own one. Settings in ``train`` for parts of
    methods (``own_parts``) that the new method lacks are left out; otherwise, a space of SANER with
    ``sam: {rho_schedule: cosine}`` would turn its SGD baseline into SAM.
    """
    document = nested_copy(train)
    if "method" in values:
        for part in own_parts:
            if not has_part(values["method"], part):
                document.pop(part, None)
    for path in sorted(values, key=lambda path: path.count(".")):
        set_path(document, path, nested_copy(values[path]))
    return document
