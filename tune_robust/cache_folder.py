"""The folder of decoded data sets: next to the runs, or on each machine for remote storage."""

from __future__ import annotations

from pathlib import Path

from tune_robust.files import cache_root, is_uri


def cache_of(storage: str) -> Path:
    """Return the folder of decoded data sets on this machine, shared by all runs of a storage."""
    return own_cache() if is_uri(storage) else Path(storage).expanduser() / ".data"


def sent(cache: Path) -> str | None:
    """Return the cache to send to a trial on another node; None for the node's own folder."""
    return None if cache == own_cache() else str(cache.resolve())


def received(cache: str | None) -> Path:
    """Return the cache of a trial that received ``cache`` from ``sent``.

    Users and homes may differ.
    """
    return own_cache() if cache is None else Path(cache)


def own_cache() -> Path:
    """Return the folder of decoded data sets of this machine, for what belongs to no storage."""
    return cache_root() / "data"
