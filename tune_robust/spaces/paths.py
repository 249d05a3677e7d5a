"""Dotted paths into TrainConfig: which there are, and reading and writing through them."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from tune_robust.config import EARLIER_PATHS, Part, TrainConfig


@cache
def config_paths() -> tuple[str, ...]:
    """Every path of TrainConfig, through its optional parts and all branches of its unions."""
    return tuple(dict.fromkeys(_paths(TrainConfig)))


def is_path(path: object) -> bool:
    """Whether TrainConfig has this path, or had it in an earlier version."""
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
    """Set ``path`` in a nested mapping, in place; what stands in the way becomes a mapping.

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
    """The setting at ``path``: a tagged group gives its kind or name, an absent part None."""
    here: Any = config
    for key in EARLIER_PATHS.get(path, path).split("."):
        here = getattr(here, key, None)
    return getattr(here, _tag(key), here) if isinstance(here, Part) else here


def _tag(key: str) -> str:
    """The setting that says which of a group's alternatives is meant: ``kind``, or ``name``."""
    field = TrainConfig.model_fields.get(key)
    return getattr(field, "discriminator", None) or "kind"


def nested_copy(value: Any) -> Any:
    """A copy of plain data whose mappings and lists are all its own."""
    if isinstance(value, Mapping):
        return {key: nested_copy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [nested_copy(item) for item in value]
    return value
