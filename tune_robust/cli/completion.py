"""Names that the shell completes: spaces, runs, and those that an option allows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from tune_robust.runs.naming import STORAGE


def one_of(*names: str) -> dict[str, Any]:
    """Arguments of an option that takes one of ``names``: its placeholder and its completion.

    The function that the command calls refuses other names, and says which is nearest.
    """

    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return {"metavar": "|".join(names), "autocompletion": complete}


def complete_space(incomplete: str) -> Iterator[str]:
    """The built-in spaces, then YAML files."""
    from tune_robust.spaces.space import builtin_spaces

    yield from (name for name in builtin_spaces() if name.startswith(incomplete))
    yield from (str(path) for path in sorted(Path().glob(f"{incomplete}*.yaml")))


def complete_run(context: typer.Context, incomplete: str) -> Iterator[str]:
    """The runs in the storage that the command line names so far."""
    storage = Path(str(context.params.get("storage") or STORAGE)).expanduser()
    found = sorted(path.parent.name for path in storage.glob("*/run.json"))
    yield from (name for name in found if name.startswith(incomplete))
