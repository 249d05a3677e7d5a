"""Errors for users: what was given, what is allowed, the nearest name, and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class UserError(Exception):
    """An error that the user can correct; the command line prints it without a traceback.

    ``exit_code`` is the exit code of the command.
    """

    exit_code = 2


class SearchFailed(UserError):
    """A search in which no trial has succeeded; everything is stored."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One error: ``path`` is its dotted key, and ``message`` says how to correct it."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(UserError):
    """All the errors found in one document, reported together."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = len(self.problems)
        lines = [f"{source}: {count} problem{'s' if count != 1 else ''}"]
        super().__init__("\n".join([*lines, *(f"  {problem}" for problem in self.problems)]))

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.source, self.problems))


def nearest(name: object, allowed: Iterable[str]) -> str:
    """Return a hint, ``" Did you mean 'sam'?"``, or an empty string if no name is similar.

    For a key path without its first parts (``lr``), it is the shortest that ends like it.
    """
    names = list(allowed)
    ends_alike = sorted((other for other in names if other.endswith(f".{name}")), key=len)
    close = ends_alike or difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def unknown(kind: str, name: object, allowed: Iterable[str]) -> str:
    """Return the message that there is no such name, with the nearest and all allowed names."""
    allowed = sorted(allowed)
    return (
        f"there is no {kind} {str(name)!r}.{nearest(name, allowed)} Allowed: {', '.join(allowed)}."
    )
