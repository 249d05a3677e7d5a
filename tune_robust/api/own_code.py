"""The source of a run's own parts: which code a verb trains, and what it says about it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune_robust.api.spaces import SpaceLike
from tune_robust.config import LIBRARIES, own_parts
from tune_robust.errors import UserError
from tune_robust.loops import check_loop
from tune_robust.own import Code, collect_code, import_part, register_functions, use_code
from tune_robust.spaces.space import Space
from tune_robust.tuning.engine.watching import Watcher

if TYPE_CHECKING:
    from tune_robust.loops import Loop


def new_code(space: Space, folder: str | Path | None) -> Code | None:
    """The code that ``space`` needs, from ``folder`` or the working directory, ready to import.

    Raises:
        UserError: there is no such folder.
    """
    code = collect_code(space.own_parts, folder)
    use_code(code)
    return code


def find_parts(space: Space) -> None:
    """Import the user's own parts of ``space``, whose code is in use.

    Raises:
        UserError: one cannot be found or called; or a loop takes other arguments.
    """
    for config in space.examples:
        for setting, name in own_parts(config).items():
            if setting == "loop":
                check_loop(config)
            elif name.partition(":")[0] not in LIBRARIES:
                import_part(name, setting)


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


def with_loop(
    space: SpaceLike, train: Loop | str | None, code: str | Path | None
) -> tuple[SpaceLike, str | Path | None]:
    """``space`` with the loop ``train`` in it, and the folder of its module.

    Raises:
        UserError: the space is no mapping, or the loop cannot be called.
    """
    if train is None:
        return space, code
    if not isinstance(space, Mapping):
        raise UserError(
            "train= goes with a space that is given as a dict. In a file, write train: {loop: "
            '"my_loop:train", epochs: ...}.'
        )
    name, folder = (train, code) if isinstance(train, str) else _name_of(train, code)
    section = {"loop": name} if space.get("train") is None else {"loop": name, **space["train"]}
    short = name.partition(":")[2].rpartition(".")[2]
    return {"name": short, **space, "train": section}, folder


def register_loop(train: Loop) -> None:
    """Have a run find the function ``train`` that it was given as such before."""
    name, _ = _name_of(train, None)
    register_functions({name: train})


def _name_of(train: Loop, code: str | Path | None) -> tuple[str, str | Path | None]:
    """``module:attribute`` of a function, and the folder that its module lies in.

    A function that no other process could import, as of a script or a notebook, is kept as it is,
    and Ray sends it to the trials.
    """
    module = getattr(train, "__module__", None) or "__main__"
    attribute = getattr(train, "__qualname__", type(train).__qualname__)
    local = module == "__main__" or "<" in attribute
    if local:
        name = f"__main__:{attribute.rpartition('.')[2].strip('<>')}"
        register_functions({name: train})
        _check_picklable(train)
        return name, code
    file = getattr(sys.modules.get(module), "__file__", None)
    if code is None and file is not None:
        code = Path(file).parents[module.count(".")]
    return f"{module}:{attribute}", code


def _check_picklable(train: Loop) -> None:
    from ray import cloudpickle

    try:
        cloudpickle.dumps(train)
    except Exception as error:
        raise UserError(
            f"train: the function {getattr(train, '__qualname__', train)!r} cannot be sent to the "
            f"processes that run trials: {error}. It refers to something that cannot be pickled, "
            "such as an open file or a lock: make that inside the function."
        ) from error


def _named(files: list[str]) -> str:
    some = ", ".join(files[:3]) + (", ..." if len(files) > 3 else "")
    return f"{some} {'has' if len(files) == 1 else 'have'}"
