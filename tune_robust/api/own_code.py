"""The source of a run's own parts: which code a verb trains, and what it says about it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tune_robust.own import Code, collect_code, use_code
from tune_robust.spaces.space import Space
from tune_robust.tuning.engine.watching import Watcher


def new_code(space: Space, folder: str | Path | None) -> Code | None:
    """The code that ``space`` needs, from ``folder`` or the working directory, ready to import.

    Raises:
        UserError: there is no such folder.
    """
    code = collect_code(space.own_parts, folder)
    use_code(code)
    return code


def code_of_run(
    meta: Mapping[str, Any], space: Space, folder: str | Path | None, watcher: Watcher
) -> Code | None:
    """The code that a run goes on with, ready to import: what it began with, unless ``folder`` says
    otherwise. Tells where that differs from what lies there now.

    Raises:
        UserError: there is no such folder.
    """
    stored = Code.of(meta)
    if folder is None and stored is not None:
        if changed := stored.changed():
            watcher.warn(
                f"{_named(changed)} changed since the run began, or cannot be found in "
                f"{stored.folder} any more. The run goes on with the code that it began with, "
                "which run.json holds. To go on with other code, give its folder: --code DIR."
            )
        use_code(stored)
        return stored
    code = new_code(space, folder)
    if stored is not None and code is not None and code.hash != stored.hash:
        differing = stored.changed(Path(code.folder)) or [*code.files]
        watcher.warn(
            f"{_named(differing)} changed since the run began. The trials that are trained from "
            "now on use the present code, so that they may not compare with the earlier ones."
        )
    return code


def code_meta(code: Code | None) -> dict[str, Any]:
    """What run.json holds of ``code``."""
    return {} if code is None else {"code": code.document()}


def _named(files: list[str]) -> str:
    some = ", ".join(files[:3]) + (", ..." if len(files) > 3 else "")
    return f"{some} {'has' if len(files) == 1 else 'have'}"
