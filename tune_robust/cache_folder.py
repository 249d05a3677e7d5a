"""Where decoded data sets lie: beside the runs, or on each machine where these are far away."""

from __future__ import annotations

from pathlib import Path

from tune_robust.files import cache_root, is_uri


def cache_of(storage: str) -> Path:
    """Where decoded data sets lie for this machine, shared by the runs of a storage."""
    return _own() if is_uri(storage) else Path(storage).expanduser() / ".data"


def sent(cache: Path) -> str | None:
    """A cache as a trial on any node is told of it; None for its own machine's."""
    return None if cache == _own() else str(cache.resolve())


def received(cache: str | None) -> Path:
    """The cache of a trial that was told of it as ``sent`` says: users and homes may differ."""
    return _own() if cache is None else Path(cache)


def _own() -> Path:
    return cache_root() / "data"
