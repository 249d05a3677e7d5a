"""How much of the time of a search is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tune_robust.spaces.space import Space

_USED = {"hours": "seconds_used", "gpu_hours": "gpu_seconds_used"}
_UNITS = {"hours": "hours", "gpu_hours": "GPU-hours"}


class TimeUsed(NamedTuple):
    """A limit of the budget, ``hours`` or ``gpu_hours``, and how much of it is used, in hours."""

    limit: str
    hours: float
    used: float


def time_used(space: Space, meta: Mapping[str, Any]) -> list[TimeUsed]:
    """Return the limits of a space, with what run.json says is used: as of the last ended trial."""
    return [
        TimeUsed(limit, hours, (meta.get(used) or 0.0) / 3600)
        for limit, used in _USED.items()
        if (hours := getattr(space.budget, limit)) is not None
    ]


def sentence(used: list[TimeUsed]) -> str:
    """Return a sentence such as ``Time used: 2.1 of 8 hours.``; empty without a limit."""
    shown = [f"{each.used:.3g} of {each.hours:g} {_UNITS[each.limit]}" for each in used]
    return f"Time used: {' and '.join(shown)}." if shown else ""
