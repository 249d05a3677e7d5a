"""Checkpoints: one file each, never half-written, loaded without executing pickled code."""

from __future__ import annotations

import zipfile
from copy import copy
from dataclasses import dataclass, field, fields, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tune_robust.errors import UserError
from tune_robust.files import open_regular, written_aside
from tune_robust.training.evaluation import Reliability

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a run needs to continue as if it had not been interrupted.

    ``metrics`` and ``reliability`` are those of the epoch, and ``earlier`` has the metrics of the
    epochs before it. ``config`` is the configuration as plain data. ``state`` maps each stateful
    part (model, optimizer, objective, random generators, totals) to its state. ``owner`` identifies
    the trial that
    the checkpoint belongs to, if any: ``run``, an id, and ``trial``, a name.
    """

    epoch: int
    metrics: dict[str, float]
    config: dict[str, Any]
    state: dict[str, Any]
    reliability: Reliability = field(default_factory=list)
    earlier: list[dict[str, float]] = field(default_factory=list)
    format: int = FORMAT
    owner: dict[str, str | None] | None = None


class Copies:
    """Copies checkpoints to the host, where they stay as they are while training continues.

    Each copy is made in the memory of the one before the last: the system clears the pages of new
    memory first, which takes several times as long as the copy itself.
    """

    def __init__(self) -> None:
        self._last: _ByTensor = {}
        self._before_last: _ByTensor = {}

    def of(self, checkpoint: Checkpoint) -> Checkpoint:
        """Return a copy, which is valid until the copy after the next one is made.

        Names of one tensor in the original are names of one tensor in the copy, which is stored
        once.
        """
        made: _ByTensor = {}
        state = _copied(checkpoint.state, made, self._before_last)
        self._last, self._before_last = made, self._last
        return replace(checkpoint, state=state)


_ByTensor = dict[tuple[Any, ...], Tensor]
"""Copies, by the memory and the form of the original."""


def _copied(value: Any, made: _ByTensor, old: _ByTensor) -> Any:
    """Return a copy of ``value`` whose tensors are ``made``, over ``old`` ones if they fit."""
    if isinstance(value, Tensor):
        which = (value.device, value.data_ptr(), value.dtype, value.shape, value.stride())
        if which not in made:
            tensor, again = value.detach(), old.get(which)
            made[which] = tensor.to("cpu", copy=True) if again is None else again.copy_(tensor)
        return made[which]
    if isinstance(value, dict):
        copied = copy(value)  # with the attributes of a network's state
        copied.update({key: _copied(one, made, old) for key, one in value.items()})
        return copied
    if isinstance(value, list | tuple):
        return type(value)(_copied(one, made, old) for one in value)
    return value


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write aside, then rename: ``path`` is always either the old checkpoint or the new one.

    Raises:
        OSError: it cannot be written; the old one stays.
    """
    with written_aside(path) as file:
        try:
            # asdict would copy each tensor, so that a tensor with two names would be stored twice.
            torch.save(vars(checkpoint), file)
        except RuntimeError as error:
            # PyTorch's writer goes on for a while after a write has failed.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Load a checkpoint after verifying its checksums; only tensors and plain data are accepted.

    Raises:
        UserError: the file is missing, damaged, or not a checkpoint.
    """
    try:
        with open_regular(path) as file:
            content = BytesIO(file.read())
        # PyTorch writes a checksum for each tensor, but does not verify it when loading.
        with zipfile.ZipFile(content) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"the checksum of its part {damaged} differs")
        content.seek(0)
        document = torch.load(content, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint {path}.") from None
    except Exception as error:
        # The error of the restricted unpickler depends on the damaged bytes.
        raise UserError(f"{path} is damaged or not a checkpoint: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UserError(f"{path} is not a checkpoint of format {FORMAT}.")
    if document.keys() - {field.name for field in fields(Checkpoint)}:
        raise UserError(f"{path} was written by a newer version of tune-robust: install that one.")
    return Checkpoint(**document)
