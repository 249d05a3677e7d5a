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


def is_path(path: object) -> bool:
    """Return whether TrainConfig has this path, or had it in an earlier version."""
    return path in config_paths() or path in EARLIER_PATHS


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
        here = getattr(here, key, None)
    return getattr(here, _tag(key), here) if isinstance(here, Part) else here


def _tag(key: str) -> str:
    """Return the setting that selects an alternative of a group: ``kind`` or ``name``."""
    field = TrainConfig.model_fields.get(key)
    return getattr(field, "discriminator", None) or "kind"


def nested_copy(value: Any) -> Any:
    """Return a deep copy of the mappings and lists of plain data."""
    if isinstance(value, Mapping):
        return {key: nested_copy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [nested_copy(item) for item in value]
    return value
