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


_OPEN = ("model", "loss", "optimizer", "data.options", "data.augment", "loop")
"""The groups that may have arguments of the user's own parts."""

_NAMED = ("model", "loss", "optimizer", "augment", "loop")
"""The groups whose alternatives have a ``name``; those of the others have a ``kind``."""


def is_path(path: object) -> bool:
    """Whether TrainConfig has this path, had it in an earlier version, or may have it.

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
        here = here.get(key) if isinstance(here, dict) else getattr(here, key, None)
    return getattr(here, _tag(key), here) if isinstance(here, Part) else here


def _tag(key: str) -> str:
    """The setting that says which of a group's alternatives is meant: ``kind``, or ``name``."""
    return "name" if key in _NAMED else "kind"


def nested_copy(value: Any) -> Any:
    """A copy of plain data whose mappings and lists are all its own."""
    if isinstance(value, Mapping):
        return {key: nested_copy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [nested_copy(item) for item in value]
    return value
