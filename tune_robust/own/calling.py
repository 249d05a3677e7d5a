"""Calling the user's own parts with the arguments of a configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tune_robust.errors import UserError, nearest
from tune_robust.own.importing import explained, import_part

Offered = Mapping[str, Any]
"""By name, what a part gets if its signature asks for it."""


def call_part(
    part: Any,
    name: str,
    setting: str,
    *positional: Any,
    arguments: Mapping[str, Any],
    offered: Offered | None = None,
) -> Any:
    """``part`` called with ``arguments`` and what it asks for of ``offered``.

    Args:
        part: a class or function.
        name: its ``module:attribute``.
        setting: where it is named, for messages.
        positional: what it is called with in any case.
        arguments: keyword arguments of the configuration.
        offered: keyword arguments that it gets if its signature names them.

    Raises:
        UserError: the arguments do not fit its signature, or it has raised an error.
    """
    keywords = {**asked_for(part, offered or {}), **arguments}
    problem = signature_problem(part, len(positional), keywords)
    if problem:
        hint = f" Given to those who ask for it: {', '.join(offered)}." if offered else ""
        raise UserError(f"{setting}: {name} cannot be called: {problem}{hint}")
    try:
        return part(*positional, **keywords)
    except UserError:
        raise
    except Exception as error:
        given = ", ".join(f"{key}={value!r}" for key, value in keywords.items())
        raise UserError(
            f"{setting}: {name}({given[:200]}) has failed: {explained(error)}."
        ) from error


def bound(
    name: str, setting: str, positional: int, arguments: Mapping[str, Any]
) -> Callable[..., Any]:
    """The part ``name`` as a function of ``positional`` arguments alone.

    A class is made with ``arguments``, and its instance is that function; a function has them
    filled in. What it raises when it is called is its own.

    Raises:
        UserError: there is no such part, or its arguments do not fit.
    """
    part = import_part(name, setting)
    if inspect.isclass(part):
        part, arguments = call_part(part, name, setting, arguments=arguments), {}
        if not callable(part):
            raise UserError(
                f"{setting}: {name} is a class whose instances cannot be called. Give it a "
                "__call__, or name a function."
            )
    if problem := signature_problem(part, positional, arguments):
        raise UserError(
            f"{setting}: {name} cannot be called with {positional} arguments"
            f"{' and ' + ', '.join(arguments) if arguments else ''}: {problem}"
        )
    return partial(part, **arguments) if arguments else part


def asked_for(part: Any, offered: Offered) -> dict[str, Any]:
    """Those of ``offered`` that the signature of ``part`` names."""
    signature = _signature(part)
    if signature is None:
        return {}
    return {key: value for key, value in offered.items() if key in signature.parameters}


def signature_problem(part: Any, positional: int, keywords: Mapping[str, Any]) -> str | None:
    """Why ``part`` cannot be called with so many arguments and ``keywords``; None if it can."""
    signature = _signature(part)
    if signature is None:
        return None
    try:
        signature.bind(*range(positional), **keywords)
    except TypeError as error:
        takes = list(signature.parameters)
        wrong = next((key for key in keywords if key not in takes), None)
        what = f"{error}." if wrong is None else f"it takes no {wrong!r}.{nearest(wrong, takes)}"
        return f"{what} Its signature is {signature}."
    return None


def _signature(part: Any) -> inspect.Signature | None:
    """None where Python does not know it, as of some functions written in C."""
    try:
        return inspect.signature(part)
    except (TypeError, ValueError):
        return None
