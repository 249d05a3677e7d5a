"""Convert errors of pydantic to those of errors.py: all at once, each with its key path."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tune_robust.errors import Problem, nearest

Model = TypeVar("Model", bound=BaseModel)

LONGEST_SHOWN = 80
"""The largest number of characters of a wrong value in a message."""


def collect_problems(
    model: type[Model], document: Any, prefix: str = ""
) -> tuple[list[Problem], Model | None]:
    """Parse ``document`` as ``model``: return ``([], instance)``, or all problems and None.

    ``prefix`` is the key path of the document in its file.
    """
    try:
        return [], model.model_validate(document)
    except ValidationError as error:
        details = error.errors()
    messages: dict[str, list[str]] = {}
    for detail in details:
        path = ".".join([prefix, *_path(document, detail)] if prefix else _path(document, detail))
        messages.setdefault(path, []).append(_message(model, document, detail))
    return [Problem(path, _joined(found)) for path, found in messages.items()], None


def _joined(messages: list[str]) -> str:
    """Join the messages of the branches of a union, which all refer to the same value."""
    first, *others = dict.fromkeys(messages)
    found = first.partition("; ")[0] + "; "
    return ", or ".join([first, *(other.removeprefix(found) for other in others)])


def _path(document: Any, detail: Mapping[str, Any]) -> list[str]:
    """Return the document's keys in pydantic's location, which also has union branches."""
    keys, here = [], document
    for part in detail["loc"]:
        inside = isinstance(here, Mapping) and part in here
        inside = inside or (isinstance(here, list) and isinstance(part, int))
        if inside:
            keys.append(str(part))
            here = here[part]
    if detail["type"] == "missing":
        keys.append(str(detail["loc"][-1]))
    return keys


def _message(model: type[BaseModel], document: Any, detail: Mapping[str, Any]) -> str:
    given, context, kind = detail["input"], detail.get("ctx", {}), detail["type"]
    found = _shown(given)
    match kind:
        case "missing":
            return "is required and is missing"
        case "extra_forbidden":
            key, allowed = detail["loc"][-1], _keys_at(model, detail["loc"][:-1])
            return f"there is no such key.{nearest(key, allowed)} Allowed: {', '.join(allowed)}"
        case "literal_error":
            allowed = [o.strip(" '") for o in context["expected"].replace(" or ", ",").split(",")]
            own = " or your own, module:attribute" if "built-in" in detail["loc"] else ""
            return f"found {found}; allowed: {', '.join(allowed)}{own}.{nearest(given, allowed)}"
        case "union_tag_invalid":
            allowed = [o.strip(" '") for o in context["expected_tags"].split(",")]
            tag = context["tag"]
            return f"found {tag!r}; allowed: {', '.join(allowed)}.{nearest(tag, allowed)}"
        case "union_tag_not_found":
            quoted = context["discriminator"]  # otherwise a function, which looks at the name
            key = quoted.strip("'") if quoted.startswith("'") else "name"
            return f"found {found}; expected a mapping with the key {key!r}"
        case "dict_type" | "model_type":
            return f"found {found}; expected a mapping"
        case "value_error":
            return str(context["error"])
        case _:
            expected = detail["msg"].removeprefix("Input should be ")
            return f"found {found}; expected {expected}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _keys_at(model: type[BaseModel], location: Iterable[str | int]) -> list[str]:
    """Return the allowed keys at ``location``, with union branches resolved by their tag."""
    candidates = {model}
    for part in location:
        fields = [c.model_fields[part] for c in candidates if part in c.model_fields]
        if fields:
            candidates = {m for f in fields for m in _models_in(f.annotation)}
        else:
            candidates = {c for c in candidates if part in _tags(c)} or candidates
    refusing = {c for c in candidates if c.model_config.get("extra") != "allow"}
    return sorted({key for candidate in refusing for key in candidate.model_fields})


def _models_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {m for argument in typing.get_args(annotation) for m in _models_in(argument)}


def _tags(model: type[BaseModel]) -> set[Any]:
    return {a for f in model.model_fields.values() for a in typing.get_args(f.annotation)}
