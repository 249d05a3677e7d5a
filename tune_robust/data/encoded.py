"""Encoded images where they are stored, as ranges of bytes in files, and their labels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self, TypeVar, overload

import numpy as np

from tune_robust.errors import UserError

_Row = TypeVar("_Row")


class _Rows(Sequence[_Row]):
    """Rows that are made when they are asked for by ``_row``."""

    @overload
    def __getitem__(self, index: int) -> _Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[_Row]: ...

    def __getitem__(self, index: int | slice) -> _Row | list[_Row]:
        if isinstance(index, slice):
            return [self._row(row) for row in range(*index.indices(len(self)))]
        return self._row(index)

    @abstractmethod
    def _row(self, index: int) -> _Row: ...


@dataclass(frozen=True, eq=False)
class Encoded(_Rows[bytes]):
    """N encoded images (JPEG, PNG, ...), read from their files when they are indexed.

    All is in a few arrays, which can be stored in a file and mapped into memory: the same paths as
    Python objects would take hundreds of megabytes in every process for a million images.

    Args:
        text: the paths of the F files, one after another in UTF-8, uint8.
        ends: where each path ends in ``text``, int64 (F,).
        ranges: for each image its file, its first byte there and its size, int64 (N, 3).
        row: what an image of a file with several is called in messages, such as "row".
        places: the names of the files in messages, if the images have been copied from elsewhere.
    """

    text: np.ndarray
    ends: np.ndarray
    ranges: np.ndarray
    row: str = ""
    places: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, files: Iterable[Path], ranges: np.ndarray, row: str = "", places: Iterable[str] = ()
    ) -> Self:
        """Return the images at ``ranges`` (N, 3) of ``files``."""
        names = [str(file.absolute()).encode(errors="surrogateescape") for file in files]
        ends = np.cumsum([len(name) for name in names], dtype=np.int64)
        text = np.frombuffer(b"".join(names), np.uint8)
        return cls(text, ends, ranges, row, tuple(places))

    def __len__(self) -> int:
        return len(self.ranges)

    def _row(self, index: int) -> bytes:
        number, start, size = (int(value) for value in self.ranges[index])
        try:
            with open(self._path(number), "rb", buffering=0) as file:
                file.seek(start)
                found = file.read(size)
        except OSError as error:
            raise UserError(f"{self.place(index)}: the image cannot be read ({error}).") from error
        if len(found) < size:
            raise UserError(
                f"{self.place(index)}: the file is shorter than when the data set was prepared. "
                "Restore it, or start again with the data as they are now."
            )
        return found

    def place(self, index: int) -> str:
        """Return where an image comes from: its file and, if that has several, its row there."""
        number = int(self.ranges[index, 0])
        path = self.places[number] if self.places else self._path(number)
        if not self.row:
            return path
        first = int(np.searchsorted(self.ranges[:, 0], number))
        return f"{path}, {self.row} {index - first}"

    def _path(self, number: int) -> str:
        start = int(self.ends[number - 1]) if number else 0
        return self.text[start : int(self.ends[number])].tobytes().decode(errors="surrogateescape")


class Places(_Rows[str]):
    """Where the images of ``encoded`` come from, composed when it is asked for."""

    def __init__(self, encoded: Encoded):
        self._encoded = encoded

    def __len__(self) -> int:
        return len(self._encoded)

    def _row(self, index: int) -> str:
        return self._encoded.place(index)


class Index(NamedTuple):
    """The encoded images of a data set, those of training first, before they are decoded.

    ``labels`` int64 (N,) index ``classes``. The first ``train`` images are those of training.
    """

    images: Encoded
    labels: np.ndarray
    train: int
    classes: tuple[str, ...]
