"""Dotted paths into TrainConfig: list, read and set them."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from tune_robust.config import EARLIER_PATHS, Part, TrainConfig


@cache
def config_paths() -> tuple[str, ...]:
    """Return every path of TrainConfig, including optional parts and all union branches."""
    return tuple(dict.fromkeys(_paths(TrainConfig)))


_OPEN = ("model", "loss", "optimizer", "data.options", "data.augment", "loop")
"""The groups that may have arguments of the user's own parts."""

_NAMED = ("model", "loss", "optimizer", "augment", "loop")
"""The groups whose alternatives have a ``name``; those of the others have a ``kind``."""


def is_path(path: object) -> bool:
    """Return whether TrainConfig has this path, had it in an earlier version, or may have it.

    What arguments the user's own parts take is known only to them.
    """
    return path in config_paths() or path in EARLIER_PATHS or _is_argument(path)


def _is_argument(path: object) -> bool:
    group = next((g for g in _OPEN if isinstance(path, str) and path.startswith(f"{g}.")), None)
    return group is not None and all(map(str.isidentifier, str(path)[len(group) + 1 :].split(".")))


def _paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        for inner in _models_in(field.annotation):
            yield from _paths(inner, f"{prefix}{name}.")


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)


def set_path(document: dict[str, Any], path: str, value: Any) -> None:
    """Set ``path`` in a nested mapping, in place; other values on the way become mappings.

    A shorthand keeps its meaning: setting ``rho_schedule.factor`` where ``rho_schedule`` is
    ``step_decay`` gives ``{kind: step_decay, factor: ...}``.
    """
    *parents, last = path.split(".")
    for key in parents:
        child = document.get(key)
        if not isinstance(child, dict):
            child = {_tag(key): child} if isinstance(child, str) else {}
        document[key] = child
        document = child
    document[last] = value


def get_path(config: TrainConfig, path: str) -> Any:
    """Return the setting at ``path``: the kind or name of a tagged group, None if absent."""
    here: Any = config
    for key in EARLIER_PATHS.get(path, path).split("."):
        here = here.get(key) if isinstance(here, dict) else getattr(here, key, None)
    return getattr(here, _tag(key), here) if isinstance(here, Part) else here


def _tag(key: str) -> str:
    """Return the setting that selects an alternative of a group: ``kind`` or ``name``."""
    return "name" if key in _NAMED else "kind"


def nested_copy(value: Any) -> Any:
    """Return a deep copy of the mappings and lists of plain data."""
    if isinstance(value, Mapping):
        return {key: nested_copy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [nested_copy(item) for item in value]
    return value
