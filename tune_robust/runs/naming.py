"""How to name a run: by its name in the default storage, else by its path or URI."""

from __future__ import annotations

import shlex
from pathlib import Path

from tune_robust.files import is_uri

STORAGE = "runs"
"""The default folder for runs."""


def run_argument(place: str) -> str:
    """Return a run as the command line accepts it: its name if it is in the default storage.

    ``place`` is the run's path or URI, which is used otherwise.
    """
    path = Path(place)
    try:
        in_default = not is_uri(place) and path.resolve().parent == Path(STORAGE).resolve()
    except FileNotFoundError:  # the working directory was deleted
        in_default = False
    return shlex.quote(path.name if in_default else place)
