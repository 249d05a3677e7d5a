"""Images in the Hugging Face layout: ``train-*.parquet`` and, if there are any, ``test-*.parquet``.

Each file has a struct column with a binary field ``bytes`` (an encoded image) and an integer label
column; both are found by their types. Class names come from the schema's Hugging Face metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from tune_robust.config import DataConfig
from tune_robust.data.images import Dataset, Images
from tune_robust.data.sources.labels import check_labels, numbered_classes
from tune_robust.data.sources.pixels import decode_images
from tune_robust.errors import UserError, unknown

# The preferred names if several columns have the right type.
_IMAGE_NAMES = ("image", "img")
_LABEL_NAMES = ("label", "labels", "fine_label")


class _Place(NamedTuple):
    """The position of a row, for messages; counted from 0."""

    file: Path
    row: int

    def __str__(self) -> str:
        return f"{self.file}, row {self.row}"


class _Rows(NamedTuple):
    """The rows of some files before decoding.

    ``names`` are the class names in the metadata, if any.
    """

    places: list[_Place]
    encoded: list[bytes]
    labels: np.ndarray
    names: tuple[str, ...] | None


def locate(config: DataConfig) -> Sequence[Path]:
    """Return the files of ``config.dir``: train-*, then test-* (else validation-*).

    Raises:
        UserError: there is no train-* file.
    """
    if config.dir is None:
        raise UserError(
            "dataset parquet needs the directory of its train-*.parquet files (and test-*.parquet "
            "files): name it with --data-dir (data.dir)."
        )
    directory = Path(config.dir).expanduser()
    if not directory.is_dir():
        raise UserError(f"{directory} is not a directory; name another with --data-dir (data.dir).")
    train = sorted(directory.glob("train-*.parquet"))
    test = sorted(directory.glob("test-*.parquet")) or sorted(
        directory.glob("validation-*.parquet")
    )
    if not train:
        raise UserError(f"{directory} has no train-*.parquet.{_hint(directory)}")
    return [*train, *test]


def _hint(directory: Path) -> str:
    """Suggest a sub-folder that has such files, or list what the folder contains."""
    nested = sorted({file.parent for file in directory.glob("*/train-*.parquet")})
    if nested:
        return f" Did you mean --data-dir {nested[0]}?"
    found = sorted(file.name for file in directory.iterdir())[:5]
    return f" It has: {', '.join(found) or 'nothing'}. Name another with --data-dir (data.dir)."


def decode(config: DataConfig, files: Sequence[Path]) -> Dataset:
    """Return all images and labels; the test images may be none.

    Images have 1 channel if most of them are grayscale, else 3.

    Raises:
        UserError: a file cannot be read, a column is missing, an image is damaged or of another
            size, or a label is not one of the classes; the message names the file and the row.
    """
    column = config.label_column
    train = _joined([_read(file, column) for file in files if _trains(file)])
    of_test = [_read(file, column) for file in files if not _trains(file)]
    test = _joined(of_test) if of_test else _Rows([], [], np.empty(0, np.int64), None)
    classes = train.names or numbered_classes(train.labels, train.places.__getitem__)
    if test.names not in (None, classes):
        raise UserError(
            f"{test.places[0].file} names the classes {', '.join(test.names)}, but "
            f"{train.places[0].file} names {', '.join(classes)}. They must agree, in order too."
        )
    for rows in (train, test):
        check_labels(rows.labels, len(classes), rows.places.__getitem__)
    encoded, places = [*train.encoded, *test.encoded], [*train.places, *test.places]
    pixels = decode_images(encoded, places, config.image_size)
    images = torch.from_numpy(pixels).split([len(train.labels), len(test.labels)])
    return Dataset(
        Images(images[0], torch.from_numpy(train.labels)),
        Images(images[1], torch.from_numpy(test.labels)),
        classes,
    )


def read_column(files: Sequence[Path], column: str, classes: Sequence[str]) -> np.ndarray:
    """Return the integer column ``column`` of the training files, int64 (N,).

    Raises:
        UserError: a file has no such column, or the column has an empty value.
    """
    return np.concatenate([_read_labels(file, column) for file in files if _trains(file)])


def read_names(config: DataConfig, files: Sequence[Path]) -> list[str]:
    """Return the ``path`` stored with each training image; "" if there is none."""
    names = []
    for file in filter(_trains, files):
        with _opened(file) as opened:
            image = _image_column(file, opened.schema_arrow)
            column = opened.read(columns=[image])[image].combine_chunks()
        has_paths = column.type.get_field_index("path") >= 0
        found = column.field("path").to_pylist() if has_paths else [None] * len(column)
        names += [path or "" for path in found]
    return names


def _trains(file: Path) -> bool:
    return file.name.startswith("train-")


def _read_labels(path: Path, column: str) -> np.ndarray:
    with _opened(path) as file:
        _named_column(path, file.schema_arrow, column)
        values = file.read(columns=[column])[column]
    if values.null_count:
        row = pc.index(pc.is_null(values), True).as_py()
        raise UserError(f"{_Place(path, row)}: {column} is empty; each row needs a label.")
    return values.to_numpy().astype(np.int64)


def _joined(files: list[_Rows]) -> _Rows:
    """Return the rows of one part's files in order; the class names are those of the first file."""
    return _Rows(
        [place for file in files for place in file.places],
        [image for file in files for image in file.encoded],
        np.concatenate([file.labels for file in files]),
        files[0].names,
    )


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path} cannot be read as Parquet ({error}). It may be truncated: copy it again."
        ) from error


def _read(path: Path, label_column: str | None) -> _Rows:
    with _opened(path) as file:
        schema = file.schema_arrow
        image, label = _image_column(path, schema), _label_column(path, schema, label_column)
        table = file.read(columns=[image, label])
    if not len(table):
        raise UserError(f"{path} has no rows. Remove it, or copy it again.")
    places = [_Place(path, row) for row in range(len(table))]
    encoded = pc.struct_field(table[image], "bytes")
    for name, column in ((f"{image}.bytes", encoded), (label, table[label])):
        if column.null_count:
            row = pc.index(pc.is_null(column), True).as_py()
            raise UserError(f"{places[row]}: {name} is empty; each row needs image and label.")
    labels = table[label].to_numpy().astype(np.int64)
    return _Rows(places, encoded.to_pylist(), labels, _class_names(schema, label))


def _image_column(path: Path, schema: pa.Schema) -> str:
    found = [field.name for field in schema if _holds_bytes(field.type)]
    return _only(path, schema, found, _IMAGE_NAMES, "a struct with a binary field 'bytes'")


def _label_column(path: Path, schema: pa.Schema, wanted: str | None) -> str:
    if wanted is not None:
        return _named_column(path, schema, wanted)
    found = [field.name for field in schema if pa.types.is_integer(field.type)]
    return _only(path, schema, found, _LABEL_NAMES, "integers, the labels")


def _named_column(path: Path, schema: pa.Schema, name: str) -> str:
    """Return ``name`` if it is a column of integers."""
    integers = [field.name for field in schema if pa.types.is_integer(field.type)]
    if name not in integers:
        raise UserError(f"{path}: {unknown('column of integers', name, integers)}")
    return name


def _holds_bytes(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        return False
    inner = kind.field("bytes").type
    return pa.types.is_binary(inner) or pa.types.is_large_binary(inner)


def _only(path: Path, schema: pa.Schema, found: list[str], usual: Iterable[str], what: str) -> str:
    """Return the only column found, or the one with a usual name among several."""
    if len(found) == 1:
        return found[0]
    named = next((name for name in usual if name in found), None)
    if named is not None:
        return named
    columns = ", ".join(f"{field.name} ({field.type})" for field in schema)
    raise UserError(
        f"{path} has {'several columns' if found else 'no column'} of the kind: {what}. "
        f"Its columns: {columns}. Keep one, name it {' or '.join(usual)}, or, of labels, say which "
        "with data.label_column."
    )


def _class_names(schema: pa.Schema, label: str) -> tuple[str, ...] | None:
    """Return the class names of the label in the Hugging Face metadata, if there are any."""
    try:
        described = json.loads((schema.metadata or {})[b"huggingface"])
        names = described["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return tuple(str(name) for name in names) or None
