"""Images in the Hugging Face layout: ``train-*.parquet`` and, if there are any, ``test-*.parquet``.

Each file has a struct column with a binary field ``bytes`` (an encoded image) and an integer label
column; both are found by their types. Class names come from the schema's Hugging Face metadata.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tune_robust.config import DataConfig
from tune_robust.data.encoded import Encoded, Index
from tune_robust.data.progress import progress
from tune_robust.data.sources.directory import directory_of
from tune_robust.data.sources.labels import check_labels, numbered_classes
from tune_robust.errors import UserError, unknown
from tune_robust.files import write_aside

_ROWS_AT_ONCE = 256
"""The number of rows of a file whose images are in memory at a time."""

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
    """The rows of a file: the sizes of its images in bytes, in order, and their labels, (N,).

    ``names`` are the class names in the metadata, if any.
    """

    sizes: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...] | None


def locate(config: DataConfig) -> Sequence[Path]:
    """Return the files of ``config.dir``: train-*, then test-* (else validation-*).

    Raises:
        UserError: there is no train-* file.
    """
    directory = directory_of(config, "train-*.parquet files (and test-*.parquet files)")
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


def index(config: DataConfig, files: Sequence[Path], folder: Path) -> Index:
    """Copy the encoded images to files in ``folder``, in which each can be read on its own.

    Only some rows are in memory at a time. Files that ``folder`` has already are complete, and are
    not written again.

    Raises:
        UserError: a file cannot be read, a column is missing, a row is empty, or a label is not one
            of the classes; the message names the file and the row.
    """
    total = sum(map(_row_count, files))
    with progress("Copying images out of Parquet", total) as advance:
        rows = [_copied(file, config.label_column, folder, advance) for file in files]
    images = _encoded(files, [each.sizes for each in rows], folder)
    labels = np.concatenate([each.labels for each in rows])
    train = sum(len(r.labels) for f, r in zip(files, rows, strict=True) if _trains(f))
    return Index(images, labels, train, _classes(files, rows, images.place))


def _encoded(files: Sequence[Path], sizes: list[np.ndarray], folder: Path) -> Encoded:
    """Return the images of the copies of ``files``, in which they lie one after another."""
    ranges = [
        np.stack([np.full(len(each), number), np.cumsum(each) - each, each], 1)
        for number, each in enumerate(sizes)
    ]
    copies = [_copy_of(file, folder) for file in files]
    return Encoded.of(copies, np.concatenate(ranges), "row", map(str, files))


def _classes(
    files: Sequence[Path], rows: Sequence[_Rows], place: Callable[[int], str]
) -> tuple[str, ...]:
    """Return the classes, after a check that all labels are of them."""
    parts = dict.fromkeys(("train", "test"), np.empty(0, np.int64))
    firsts: dict[str, tuple[Path, _Rows]] = {}
    for file, each in zip(files, rows, strict=True):
        part = "train" if _trains(file) else "test"
        firsts.setdefault(part, (file, each))
        parts[part] = np.concatenate([parts[part], each.labels])
    file, of_train = firsts["train"]
    classes = of_train.names or numbered_classes(parts["train"], place)
    if "test" in firsts and firsts["test"][1].names not in (None, classes):
        other, of_test = firsts["test"]
        raise UserError(
            f"{other} names the classes {', '.join(of_test.names or ())}, but "
            f"{file} names {', '.join(classes)}. They must agree, in order too."
        )
    check_labels(np.concatenate([parts["train"], parts["test"]]), len(classes), place)
    return classes


def _row_count(path: Path) -> int:
    with _opened(path) as file:
        return file.metadata.num_rows


def _copy_of(file: Path, folder: Path) -> Path:
    return folder / f"{file.stem}.images"


def _copied(
    path: Path, label_column: str | None, folder: Path, advance: Callable[[int], None]
) -> _Rows:
    """Copy the images of a file into ``folder`` unless that has been done, and return its rows."""
    with _opened(path) as file:
        schema = file.schema_arrow
        image, label = _image_column(path, schema), _label_column(path, schema, label_column)
        labels = _read_labels(path, label)
        if not len(labels):
            raise UserError(f"{path} has no rows. Remove it, or copy it again.")
        copy = _copy_of(path, folder)
        known = copy.with_suffix(".sizes")
        if known.exists():
            sizes = np.fromfile(known, np.int64)
            advance(len(sizes))
        else:
            with _written(copy, path) as out:
                sizes = _copy_images(path, file, image, out, advance)
            write_aside(known, sizes.tobytes())
    return _Rows(sizes, labels, _class_names(schema, label))


@contextmanager
def _written(copy: Path, file: Path) -> Iterator[BinaryIO]:
    """Write ``copy`` under a temporary name, for those who may read ``file``, then rename it."""
    aside = copy.with_suffix(".part")
    try:
        with open(aside, "wb") as out:
            yield out
        aside.chmod(file.stat().st_mode & 0o044 | 0o600)
        aside.rename(copy)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"{copy.parent}: the disk is full ({error.strerror}). The images of Parquet files are "
            "copied there, since they cannot be read one by one. Free some space, or choose "
            "another --storage."
        ) from error


def _copy_images(
    path: Path, file: pq.ParquetFile, image: str, out: BinaryIO, advance: Callable[[int], None]
) -> np.ndarray:
    """Write the column's images one after another to ``out``, and return their sizes (N,)."""
    sizes = [np.empty(0, np.int64)]
    done = 0
    for batch in file.iter_batches(_ROWS_AT_ONCE, columns=[image]):
        encoded = pc.struct_field(batch[image], "bytes")
        if encoded.null_count:
            row = done + pc.index(pc.is_null(encoded), True).as_py()
            raise UserError(
                f"{_Place(path, row)}: {image}.bytes is empty; each row needs image and label."
            )
        for each in encoded:
            out.write(each.as_buffer())
        sizes.append(pc.binary_length(encoded).to_numpy().astype(np.int64))
        done += len(batch)
        advance(len(batch))
    return np.concatenate(sizes)


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
        raise UserError(f"{_Place(path, row)}: {column} is empty; each row needs image and label.")
    return values.to_numpy().astype(np.int64)


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path} cannot be read as Parquet ({error}). It may be truncated: copy it again."
        ) from error


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
