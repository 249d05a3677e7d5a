"""Several inputs for each sample: kept as one record of bytes, until the network is called.

All that lies between the data set and the network (gathering, shuffling, both passes, recorded
CUDA graphs) thereby handles one tensor, whatever the inputs are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from tune_robust.data.channels import channel_statistics


@dataclass(frozen=True)
class Field:
    """One of the inputs: its name, the type and shape of a sample's, and its normalisation.

    ``mean`` and ``std`` have a value for each index of dimension 1 of (N, ...); integers and truth
    values have none.
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def bytes(self) -> int:
        """The size of a sample's."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} {self.shape}"


@dataclass(frozen=True)
class Fields:
    """The inputs of a sample, in the order in which a record has them."""

    fields: tuple[Field, ...]

    @classmethod
    def of(cls, inputs: Mapping[str, Tensor]) -> Self:
        """Return the fields of inputs (N, ...) by name."""
        return cls(tuple(Field(k, t.dtype, tuple(t.shape[1:])) for k, t in inputs.items()))

    def __str__(self) -> str:
        return ", ".join(map(str, self.fields))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of a sample's inputs, by name."""
        return {field.name: field.shape for field in self.fields}

    def packed(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the records, uint8 (N, R), of inputs (N, ...) by name."""
        rows = []
        for field in self.fields:
            values = inputs[field.name].contiguous()
            rows.append(values.view(len(values), math.prod(field.shape)).view(torch.uint8))
        return torch.cat(rows, 1)

    def unpacked(self, records: Tensor) -> dict[str, Tensor]:
        """Return the inputs (N, ...) of records (N, R), by name."""
        parts = records.split([field.bytes for field in self.fields], 1)
        return {
            field.name: part.contiguous().view(field.dtype).view(len(records), *field.shape)
            for field, part in zip(self.fields, parts, strict=True)
        }

    def fitted(self, records: Tensor, positions: Tensor) -> Self:
        """Return the fields with the mean and deviation of the records at these positions."""
        inputs = self.unpacked(records[positions])
        return type(self)(tuple(_fitted(field, inputs[field.name]) for field in self.fields))


def _fitted(field: Field, values: Tensor) -> Field:
    if field.dtype == torch.bool:
        return field
    mean, std = channel_statistics(values if values.ndim > 1 else values[:, None])
    return replace(field, mean=mean, std=std)


class Unpacking:
    """Calls a network with its inputs by name: a hook of its forward pass, which gets records."""

    def __init__(self, fields: Fields):
        self._fields = fields
        self._scales: dict[torch.device, dict[str, tuple[Tensor, Tensor]]] = {}

    def __call__(
        self, network: nn.Module, positional: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Return the arguments of the network; those that have their names already stay."""
        if not positional:
            return None
        return (), self.normalised(positional[0])

    def normalised(self, records: Tensor) -> dict[str, Tensor]:
        """Return the inputs as the network gets them: pixels and numbers are normalised."""
        found = self._fields.unpacked(records)
        for name, (mean, std) in self._on(records.device).items():
            found[name] = (found[name].float() - mean) / std
        return found

    def _on(self, device: torch.device) -> dict[str, tuple[Tensor, Tensor]]:
        if device not in self._scales:
            self._scales[device] = {
                field.name: _scale(field, device) for field in self._fields.fields if field.mean
            }
        return self._scales[device]


def _scale(field: Field, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of a field's values as they are kept."""
    scale = torch.tensor([field.mean, field.std], device=device)
    if field.dtype == torch.uint8:
        scale = 255 * scale
    shape = (-1, *[1] * (len(field.shape) - 1)) if field.shape else ()
    return scale[0].view(shape), scale[1].view(shape)
