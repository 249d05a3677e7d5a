"""How a user names a run: by its name in the default storage, else by where it lies."""

from __future__ import annotations

import shlex
from pathlib import Path

from tune_robust.files import is_uri

STORAGE = "runs"
"""The folder that holds the runs where no other is given."""


def run_argument(place: str) -> str:
    """A run as the command line takes it: its name if it lies in the default storage.

    ``place`` is the run's path or URI, which it is named by otherwise.
    """
    path = Path(place)
    in_default = not is_uri(place) and path.resolve().parent == Path(STORAGE).resolve()
    return shlex.quote(path.name if in_default else place)
