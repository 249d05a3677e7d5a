"""From ``module:attribute`` to the object that it names."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from tune_robust.errors import UserError, nearest
from tune_robust.own.code import functions, searched_folders

import_seconds: dict[str, float] = {}
"""How long each module of own parts took to import in this process."""


def import_part(name: str, setting: str) -> Any:
    """The object that ``name`` stands for.

    Args:
        name: ``module:attribute``; the attribute may have dots.
        setting: where it is named, for messages.

    Raises:
        UserError: the module cannot be found or imported, it has no such attribute, or that cannot
            be called.
    """
    if name in functions:
        return functions[name]
    module_name, _, attribute = name.partition(":")
    if module_name == "__main__":
        raise UserError(
            f"{setting}: {name} was given as a function of a script or notebook, which no other "
            "process can import. Give it again: train=... in Python. A function in a module of its "
            "own, named as my_loop:train, can be resumed by the command too."
        )
    here = _module(module_name, f"{setting}: {name}")
    found: Any = here
    for key in attribute.split("."):
        if not hasattr(found, key):
            public = [n for n, v in vars(here).items() if callable(v) and not n.startswith("_")]
            raise UserError(
                f"{setting}: {name}: {_place(here)} has no {key!r}.{nearest(key, public)} It has: "
                f"{', '.join(sorted(public)[:20]) or 'nothing that can be called'}."
            )
        found = getattr(found, key)
    if not callable(found):
        raise UserError(
            f"{setting}: {name} is {found!r}, which cannot be called. Expected a class or function."
        )
    return found


def _module(name: str, told: str) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    began = time.perf_counter()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise UserError(_not_found(error.name, told)) from error
        raise UserError(
            f"{told}: importing {name} failed, as it needs the module {error.name!r}, which is "
            "neither installed nor beside it."
        ) from error
    except (Exception, SystemExit) as error:
        raise UserError(
            f"{told}: importing {name} failed: {explained(error)}. A module of own parts only "
            'defines them: what is to run goes under `if __name__ == "__main__":`.'
        ) from error
    finally:
        import_seconds[name] = time.perf_counter() - began


def _not_found(module: str, told: str) -> str:
    folders = searched_folders()
    beside = [p.stem for f in folders for p in Path(f).glob("*.py")]
    looked = " and ".join([*folders, f"the packages of {sys.executable}"])
    return (
        f"{told}: there is no module {module!r}.{nearest(module, beside)} Looked in {looked}. "
        f"Start the command in the folder that holds {module}.py, name that folder with --code "
        "DIR, or install the package."
    )


def _place(module: ModuleType) -> str:
    return str(getattr(module, "__file__", None) or f"module {module.__name__}")


def explained(error: BaseException) -> str:
    """What was raised, and the last place in the user's own code that led to it."""
    said = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
    folders = tuple(searched_folders())
    trace, place = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if folders and file.startswith(folders):
            place = f" ({Path(file).name}, line {trace.tb_lineno})"
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename:
        place = f" ({Path(error.filename).name}, line {error.lineno})"
    return f"{text.rstrip('.')}{place}"
