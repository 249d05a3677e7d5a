"""JSON files of a run that contain a checksum of their own content.

To edit such a file, delete its ``checksum``: files without one are accepted, as are those of
earlier versions.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tune_robust.errors import UserError
from tune_robust.files import open_regular, write_aside
from tune_robust.validation import collect_problems

_CHECKSUM = "checksum"


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write ``document`` with its checksum, aside and then renamed."""
    content = {key: value for key, value in document.items() if key != _CHECKSUM}
    sealed = {**content, _CHECKSUM: _checksum(content)}
    write_aside(path, json.dumps(sealed, indent=2).encode())


def read_document(path: Path, model: type[BaseModel] | None, remedy: str) -> dict[str, Any]:
    """Read a document that ``write_document`` has written.

    Args:
        path: the file.
        model: the required keys, or None if the caller checks them; other keys are kept.
        remedy: a sentence on what to do about a damaged file.

    Raises:
        UserError: it is damaged, or not such a document; the message says where.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        raw = file.read()
    try:
        document = json.loads(raw.decode("utf-8-sig"))
        if not isinstance(document, dict):
            raise ValueError(f"expected an object, found {type(document).__name__}")
        checksum = document.pop(_CHECKSUM, None)
        if checksum is not None and checksum != _checksum(document):
            raise ValueError(
                "its checksum differs from its content. If you edited it on purpose, delete the "
                f"entry {_CHECKSUM!r}"
            )
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: {error}. {remedy}") from error
    problems = collect_problems(model, document)[0] if model else []
    if problems:
        raise UserError(f"{path} cannot be used: {'; '.join(map(str, problems))}. {remedy}")
    return document


def _checksum(document: Mapping[str, Any]) -> str:
    content = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return f"{zlib.crc32(content.encode()):08x}"
