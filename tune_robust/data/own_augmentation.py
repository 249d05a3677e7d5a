"""Augmentation from elsewhere: a function of the user's own, or a transform of torchvision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from tune_robust.config import OwnPart
from tune_robust.data.fields import Fields
from tune_robust.errors import UserError
from tune_robust.own import bound

_SETTING = "data.augment"
_TRANSFORMS = "torchvision.transforms.v2:"


def own_augmentation(settings: OwnPart, fields: Fields | None = None) -> Callable[[Tensor], Tensor]:
    """What ``settings`` names, inputs (B, ...) -> inputs of the same shape and type.

    If a sample has several inputs, it is called with a dict of them, and returns one; what is
    returned here takes and gives their records.

    A transform of ``torchvision.transforms.v2`` is called once an input: it draws its random
    parameters once a call.

    Raises:
        UserError: there is no such part, or its arguments do not fit; when it is called, that it
            returns something else.
    """
    name = settings.name
    change = bound(name, _SETTING, 1, settings.arguments)
    if fields is not None:
        return _of_fields(change, name, fields)
    one_by_one = name.startswith(_TRANSFORMS)

    def augmented(inputs: Tensor) -> Tensor:
        found = torch.stack([change(i) for i in inputs]) if one_by_one else change(inputs)
        if not _is_alike(found, inputs):
            raise UserError(
                f"{_SETTING}: {name} returned {_described(found)}; expected a batch as it was "
                f"given, {_described(inputs)}."
            )
        return found

    return augmented


def _of_fields(
    change: Callable[[Any], Any], name: str, fields: Fields
) -> Callable[[Tensor], Tensor]:
    def augmented(records: Tensor) -> Tensor:
        inputs = fields.unpacked(records)
        found = change(dict(inputs))
        if not isinstance(found, Mapping) or found.keys() != inputs.keys():
            keys = (
                ", ".join(map(str, found)) if isinstance(found, Mapping) else type(found).__name__
            )
            raise UserError(
                f"{_SETTING}: {name} returned {keys}; expected a dict with the keys it was given, "
                f"{', '.join(inputs)}."
            )
        for key, given in inputs.items():
            if not _is_alike(found[key], given):
                raise UserError(
                    f"{_SETTING}: {name} returned {key} of {_described(found[key])}; expected a "
                    f"batch as it was given, {_described(given)}."
                )
        return fields.packed(found)

    return augmented


def _is_alike(found: Any, inputs: Tensor) -> bool:
    tensor = isinstance(found, Tensor)
    return tensor and found.dtype == inputs.dtype and found.shape == inputs.shape


def _described(found: Any) -> str:
    if not isinstance(found, Tensor):
        return type(found).__name__
    return f"{found.dtype} {tuple(found.shape)}"
