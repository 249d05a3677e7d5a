"""Files that are never half-written, and which places are no local files at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write_aside(path: Path, data: bytes | memoryview) -> None:
    """Write ``data`` under a temporary name, then rename it: ``path`` is never half-written.

    Raises:
        OSError: when it cannot be written; the old file stays and nothing else is left.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    except OSError:
        with suppress(OSError):
            aside.unlink()
        raise


def is_uri(place: str) -> bool:
    """Whether ``place`` is a URI rather than a local path."""
    return "://" in place
