"""Stored predictions of trials on the validation images.

They are in the run's folder ``predictions``, for all trials together:

- ``<trial>/<moment>.npz``: ``probabilities`` float16 (N, K), the ``epoch`` after which they were
  predicted (from 1), the ``score`` of the objective at that epoch (NaN where it has none),
  ``labels``, the name of the file of labels, and the name of the ``trial`` and the hash of its
  ``config``, which identify their owner. Files of earlier versions lack these two and are accepted.
- ``labels-<digest>.npz``: ``given`` and ``true`` int64 (N,), in the order of the probabilities. An
  unknown true label is -1. Trials with the same split and labels share the file.

Each file is written aside and renamed, before the checkpoint of its epoch is written. A trial that
continues from a checkpoint therefore has all earlier predictions, and on a CPU it writes identical
ones afterwards. Predictions on the test images are never stored.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from tune_robust.errors import UserError
from tune_robust.files import is_uri, make_two_levels, open_regular, write_aside
from tune_robust.runs.remote.objects import Remote
from tune_robust.spaces.objective import Objective

if TYPE_CHECKING:
    # Slow to import, and reading predictions does not need PyTorch.
    from tune_robust.data import LabelledImages
    from tune_robust.training import EpochResult

Moment = float | str
"""A fraction of the trial's epochs in (0, 1], ``last`` or ``best``."""
_SUM_TOLERANCE = 0.01
"""Tolerance for the sum of 16-bit probabilities of many classes, which is not exactly 1."""


class Labels(NamedTuple):
    """The given and the true labels of the validation images, int64 (N,); -1 if unknown."""

    given: np.ndarray
    true: np.ndarray


class Predictions(NamedTuple):
    """The predictions of a trial at one moment: ``probabilities`` float16 (N, K), rows sum to 1.

    ``epoch`` counts from 1; ``labels`` is the name of the labels for ``read_labels``.
    """

    probabilities: np.ndarray
    epoch: int
    score: float
    labels: str


class Place(Protocol):
    """A local or remote folder of files; reading a missing file returns None."""

    def read(self, name: str) -> bytes | None:
        """Return the content of a file."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file completely or not at all."""


class _LocalPlace:
    def __init__(self, folder: Path):
        self._folder = folder

    def read(self, name: str) -> bytes | None:
        try:
            with open_regular(self._folder / name) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        make_two_levels(path.parent)
        write_aside(path, data)


def _place(place: str) -> Place:
    return Remote(place) if is_uri(place) else _LocalPlace(Path(place))


def file_of(trial: str, moment: Moment) -> str:
    """Return the name of the file of a trial's predictions at ``moment``."""
    return f"{trial}/{moment if isinstance(moment, str) else format(moment, 'g')}.npz"


def epoch_of(fraction: float, total_epochs: int) -> int:
    """Return the epoch (from 1) nearest to ``fraction`` of ``total_epochs``."""
    return max(1, round(fraction * total_epochs))


class KeptPredictions:
    """Stores the predictions of one trial at the requested moments.

    Args:
        place: the run's folder of predictions, a path or a URI.
        trial: the name of the trial.
        moments: the moments at which to store predictions, possibly none.
        total_epochs: the number of epochs that fractions refer to.
        objective: the objective that determines the best epoch.
        config: the trial's configuration as the run records it; the files contain its hash.
    """

    def __init__(
        self,
        place: str,
        trial: str,
        moments: Sequence[Moment],
        total_epochs: int,
        objective: Objective,
        config: Mapping[str, Any],
    ):
        self._moments = tuple(moments)
        self._folder = place
        self._trial, self._objective, self._config = trial, objective, config
        self._epochs = {m: epoch_of(m, total_epochs) for m in moments if not isinstance(m, str)}
        self._best: float | None = None
        self._labels: str | None = None

    @cached_property
    def _place(self) -> Place:
        """The folder, which is opened only when something is stored."""
        return _place(self._folder)

    def save(self, result: EpochResult, part: LabelledImages) -> None:
        """Store the predictions of ``result`` for the validation images ``part``, if they are due.

        Raises:
            OSError: it cannot be written.
        """
        score = result.metrics[self._objective.metric]
        due = [moment for moment in self._moments if self._is_due(moment, result.epoch, score)]
        if not due:
            return
        try:
            self._write(due, result, score, part)
        except UserError as error:
            raise OSError(errno.EIO, str(error), self._trial) from error
        if "best" in due:
            self._best = score

    def _is_due(self, moment: Moment, epoch: int, score: float) -> bool:
        if moment == "last":
            return True
        if moment == "best":
            best = self._best_so_far()
            return math.isfinite(score) and (best is None or self._objective.better(score, best))
        return not isinstance(moment, str) and epoch == self._epochs[moment]

    def _best_so_far(self) -> float | None:
        """Return the score of the best stored epoch, also of an earlier process."""
        if self._best is None:
            content = self._place.read(file_of(self._trial, "best"))
            if content is not None:
                with suppress(UserError):  # damaged and foreign files are replaced
                    self._best = _predictions(content, self._trial, "best", self._config).score
        return self._best

    def _write(
        self, moments: Sequence[Moment], result: EpochResult, score: float, part: LabelledImages
    ) -> None:
        if self._labels is None:
            self._labels = self._write_labels(part)
        content = _packed(
            probabilities=result.validation_probabilities.cpu().numpy().astype(np.float16),
            epoch=np.int64(result.epoch),
            score=np.float64(score),
            labels=np.str_(self._labels),
            trial=np.str_(self._trial),
            config=np.str_(_hash_of(self._config)),
        )
        for moment in moments:
            self._place.write(file_of(self._trial, moment), content)

    def _write_labels(self, part: LabelledImages) -> str:
        """Return the name of the labels, after writing them if no other trial has done so."""
        labels = Labels(part.labels.cpu().numpy(), part.true_labels.cpu().numpy())
        name = _name_of(labels)
        if self._place.read(name) is None:
            self._place.write(name, _packed(**labels._asdict()))
        return name


def read_predictions(
    place: str, trial: str, moment: Moment, config: Mapping[str, Any] | None = None
) -> Predictions | None:
    """Read the predictions of ``trial`` at ``moment``; None if none were stored.

    Args:
        place: the run's folder of predictions: ``RunFolder.predictions``.
        trial: its name.
        moment: a value of the space's ``record.predictions``.
        config: the trial's configuration as the run records it; None skips the comparison.

    Raises:
        UserError: the file is damaged, or belongs to another trial or configuration.
    """
    content = _place(place).read(file_of(trial, moment))
    return None if content is None else _predictions(content, trial, moment, config)


def read_labels(place: str, name: str) -> Labels:
    """Read the labels of predictions, by name.

    Raises:
        UserError: the file is missing or damaged.
    """
    content = _place(place).read(name)
    if content is None:
        raise UserError(
            f"{place} has no {name}, which holds the labels of the predictions there. Restore it, "
            "or leave these predictions out."
        )
    unpacked = _unpacked(content, name, ("given", "true"))
    labels = Labels(**unpacked)
    if _name_of(labels) != name:
        raise _damaged(name, "its labels are not those that it was written with")
    return labels


def _predictions(
    content: bytes, trial: str, moment: Moment, config: Mapping[str, Any] | None
) -> Predictions:
    name = file_of(trial, moment)
    found = _unpacked(content, name, Predictions._fields, ("trial", "config"))
    _check_owner(found, name, trial, config)
    probabilities = found["probabilities"]
    if probabilities.ndim != 2 or probabilities.dtype != np.float16:
        raise _damaged(name, "probabilities are not a table of 16-bit floats")
    sums = probabilities.sum(axis=1, dtype=np.float32)
    if not np.all(np.abs(sums - 1) <= _SUM_TOLERANCE):
        raise _damaged(name, "its probabilities do not add up to 1 for each image")
    return Predictions(
        probabilities, int(found["epoch"]), float(found["score"]), str(found["labels"])
    )


def _check_owner(
    found: Mapping[str, np.ndarray], name: str, trial: str, config: Mapping[str, Any] | None
) -> None:
    if "trial" in found and str(found["trial"]) != trial:
        raise _foreign(name, f"the trial {found['trial']}")
    if config is not None and "config" in found and str(found["config"]) != _hash_of(config):
        raise _foreign(name, f"another configuration than that of {trial}")


def _unpacked(
    content: bytes, name: str, fields: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            there = [field for field in optional if field in arrays]
            return {field: arrays[field] for field in (*fields, *there)}
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(name, str(error)) from error


def _foreign(name: str, whose: str) -> UserError:
    return UserError(
        f"predictions/{name} belongs to {whose}. Delete the file, or restore the right one from a "
        "copy."
    )


def _damaged(name: str, reason: str) -> UserError:
    return UserError(
        f"predictions/{name} is damaged: {reason}. Delete the file, or restore it from a copy."
    )


def _packed(**arrays: np.ndarray | np.generic) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # its stub mixes in an option
    return buffer.getvalue()


def _hash_of(config: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def _name_of(labels: Labels) -> str:
    digest = hashlib.sha256()
    for array in labels:
        digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
    return f"labels-{digest.hexdigest()[:16]}.npz"
