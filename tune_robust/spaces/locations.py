"""Make relative paths absolute, since trial processes have other working directories.

A path in a file is relative to the folder of that file, and a path in an option to the working
directory. A file of labels may also be in the folder of the data, which is searched first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tune_robust.config import DEFAULT_DATA_DIR, FileSetting, file_settings
from tune_robust.files import is_uri
from tune_robust.spaces.overrides import Overrides, parse_overrides
from tune_robust.spaces.paths import nested_copy, set_path

_SECTIONS = ("train", "search", "known", "baselines")
"""The sections of a space that contain settings of TrainConfig."""

Pairs = Iterable[tuple[str, Any]]


def locate_space(document: Any, overrides: Overrides, folder: Path) -> tuple[Any, Overrides]:
    """Return a space's ``document`` and the ``overrides`` to it with absolute paths.

    Args:
        document: the plain data of a file.
        overrides: as for ``override_space``, which reports their problems.
        folder: the folder of the file.
    """
    pairs, problems = parse_overrides(overrides)
    if problems or not isinstance(document, Mapping):
        return document, overrides
    of_train = [(_setting(path), value) for path, value in pairs if path.startswith("train.")]
    data_dir = _data_dir(document.get("train"), of_train, folder)
    located = {
        section: _located(value, "", folder, data_dir) if section in _SECTIONS else value
        for section, value in document.items()
    }
    here = Path.cwd()
    return located, {path: _located(value, _setting(path), here, data_dir) for path, value in pairs}


def locate_config(document: Any, overrides: Overrides, folder: Path) -> tuple[Any, Overrides]:
    """Do the same for the ``document`` of a TrainConfig and ``apply_overrides``."""
    pairs, problems = parse_overrides(overrides)
    if problems or not isinstance(document, Mapping):
        return document, overrides
    data_dir, here = _data_dir(document, pairs, folder), Path.cwd()
    located = {path: _located(value, path, here, data_dir) for path, value in pairs}
    return _located(document, "", folder, data_dir), located


def _setting(path: str) -> str:
    """Return a space's path as one of TrainConfig: ``data.dir`` for ``train.data.dir``."""
    section, _, inner = path.partition(".")
    return inner if section in _SECTIONS else path


def _data_dir(train: Any, pairs: Pairs, folder: Path) -> Path:
    """Return the folder of the data after all changes."""
    default, here = DEFAULT_DATA_DIR.expanduser(), Path.cwd()
    merged = nested_copy(_located(train, "", folder, default)) if isinstance(train, dict) else {}
    for path, value in pairs:
        set_path(merged, path, _located(value, path, here, default))
    data = merged.get("data")
    found = data.get("dir") if isinstance(data, dict) else None
    return Path(found) if isinstance(found, str) else default


def _located(value: Any, path: str, folder: Path, data_dir: Path) -> Any:
    """Return the ``value`` at ``path`` with absolute paths."""
    setting = file_settings().get(path)
    if isinstance(value, Mapping):
        return {
            key: _located(inner, _inner_path(path, key, setting), folder, data_dir)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_located(inner, path, folder, data_dir) for inner in value]
    if setting is None or not isinstance(value, str):
        return value
    return _absolute(value, setting, folder, data_dir)


def _inner_path(path: str, key: Any, setting: FileSetting | None) -> str:
    if key == "when":  # a condition names settings by their complete paths
        return ""
    if setting is not None:  # a distribution, whose values are those of the setting
        return path
    return f"{path}.{key}" if path else str(key)


def _absolute(text: str, setting: FileSetting, folder: Path, data_dir: Path) -> str:
    if not text or text in setting.names or is_uri(text):
        return text
    path = Path(os.path.expanduser(text))  # leaves the name of an unknown user as it is
    if setting.beside_data and (data_dir / path).exists():
        return os.path.abspath(data_dir / path)
    is_name = setting.or_text or (setting.or_name and path.parent == Path() and not path.suffix)
    if is_name and not os.path.exists(folder / path):  # also of names too long for a file
        return text
    return os.path.abspath(folder / path)
