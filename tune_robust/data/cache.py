"""Store decoded data sets as safetensors files that all trials map into memory."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
import tempfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tune_robust.config import DataConfig
from tune_robust.data.channels import image_moments
from tune_robust.data.images import Dataset, Images, decoded
from tune_robust.files import write_aside

# Part of the key: increase it when a source decodes the same files to other tensors.
_FORMAT = 4
_VERIFIED_ONCE = 2**30
"""Bytes of the largest file that each process verifies; a larger one is verified once."""

_log = logging.getLogger(__name__)


def cache_path(directory: Path, config: DataConfig, files: Sequence[Path]) -> Path:
    """Return the path for the decoded ``files``.

    It depends on the names, sizes and dates of the files and on the settings that affect decoding.
    """
    settings = [config.dataset, config.label_column, config.image_size]
    seen = [(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    key = hashlib.sha256(json.dumps([_FORMAT, settings, seen]).encode()).hexdigest()[:16]
    return directory / f"{config.dataset}-{key}.safetensors"


def read(path: Path) -> Dataset | None:
    """Return the data set stored at ``path``, mapped into memory.

    None if it is absent or damaged.
    """
    found = read_tensors(path)
    if found is None:
        return None
    tensors, metadata = found
    return Dataset(
        Images(
            tensors["train.images"], tensors["train.labels"], moments=tensors.get("train.moments")
        ),
        Images(tensors["test.images"], tensors["test.labels"]),
        tuple(json.loads(metadata["classes"])),
    )


def write(path: Path, dataset: Dataset, files: Sequence[Path] = ()) -> None:
    """Store ``dataset``, decoded from ``files``, at ``path``, completely or not at all.

    Only users who may read all the files may read it.

    The cache only saves time: if the path cannot be written, a warning is logged.
    """
    tensors = {
        "train.images": decoded(dataset.train.images),
        "train.labels": dataset.train.labels,
        "test.images": decoded(dataset.test.images),
        "test.labels": dataset.test.labels,
    }
    if dataset.train.images.dtype == torch.uint8:
        tensors["train.moments"] = image_moments(tensors["train.images"])
    write_tensors(path, tensors, {"classes": json.dumps(dataset.classes)}, files)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """Return the tensors at ``path``, mapped into memory, and their metadata; as ``read``."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError) as error:
        _log.warning("%s is damaged (%s); decoding the dataset again", path, error)
        return None
    if not _is_verified(path):
        if metadata.get("checksum") != _checksum(tensors):
            _log.warning("%s is damaged (wrong checksum); decoding the dataset again", path)
            return None
        _note_verified(path)
    return tensors, metadata


def write_tensors(
    path: Path, tensors: dict[str, Tensor], metadata: dict[str, str], files: Sequence[Path]
) -> None:
    """Store ``tensors`` with ``metadata``, as ``write`` does."""
    metadata = {**metadata, "checksum": _checksum(tensors)}
    aside = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
        os.close(handle)
        save_file(tensors, aside, metadata)
        os.chmod(aside, _mode(files))
        os.replace(aside, path)
    except (SafetensorError, OSError) as error:
        _log.warning("the decoded dataset could not be kept at %s: %s", path, error)
        if aside is not None:
            Path(aside).unlink(missing_ok=True)


def _is_verified(path: Path) -> bool:
    """Return whether a process has verified the checksum of the file as it is now."""
    try:
        return _verified(path).read_text() == _state(path)
    except OSError:
        return False


def _note_verified(path: Path) -> None:
    """Spare other processes the verification, which reads all of a large file."""
    if path.stat().st_size > _VERIFIED_ONCE:
        with suppress(OSError):  # a folder that cannot be written
            write_aside(_verified(path), _state(path).encode(), durable=False)


def _verified(path: Path) -> Path:
    return path.with_suffix(".verified")


def _state(path: Path) -> str:
    seen = path.stat()
    return f"{seen.st_size} {seen.st_mtime_ns} {seen.st_ino}"


def _mode(files: Sequence[Path]) -> int:
    """Return the file mode: users who may read all ``files`` may read, and the owner always may."""
    readers = stat.S_IRGRP | stat.S_IROTH
    for file in files:
        readers &= file.stat().st_mode
    return stat.S_IRUSR | stat.S_IWUSR | readers


def _checksum(tensors: dict[str, Tensor]) -> str:
    checksum = 0
    for name in sorted(tensors):
        shape = f"{name}{tuple(tensors[name].shape)}{tensors[name].dtype}"
        checksum = zlib.crc32(shape.encode(), checksum)
        checksum = zlib.crc32(tensors[name].numpy().data, checksum)
    return f"{checksum:08x}"
