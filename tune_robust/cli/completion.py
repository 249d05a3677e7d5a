"""Completion of names in the shell: spaces, runs, and the values of options."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from tune_robust.runs.naming import STORAGE


def one_of(*names: str) -> dict[str, Any]:
    """Return the arguments of an option for one of ``names``: its placeholder and completion.

    The function that the command calls refuses other names and suggests the nearest one.
    """

    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return {"metavar": "|".join(names), "autocompletion": complete}


def complete_space(incomplete: str) -> Iterator[str]:
    """Complete the built-in spaces, then YAML files."""
    from tune_robust.spaces.space import builtin_spaces

    yield from (name for name in builtin_spaces() if name.startswith(incomplete))
    yield from (str(path) for path in sorted(Path().glob(f"{incomplete}*.yaml")))


def complete_run(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Complete the runs in the storage on the command line."""
    storage = Path(str(context.params.get("storage") or STORAGE)).expanduser()
    found = sorted(path.parent.name for path in storage.glob("*/run.json"))
    yield from (name for name in found if name.startswith(incomplete))
