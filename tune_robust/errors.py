"""Errors that teach: what was given, what is allowed, the nearest right name, what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class UserError(Exception):
    """Something the user can put right; the command line prints it without a traceback.

    ``exit_code`` is what the command then ends with.
    """

    exit_code = 2


class SearchFailed(UserError):
    """A search in which no trial has succeeded. What there is of it is stored."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One mistake: ``path`` is the dotted key where it stands, ``message`` says how to mend it."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(UserError):
    """All the mistakes found in one document, reported together."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = len(self.problems)
        lines = [f"{source}: {count} problem{'s' if count != 1 else ''}"]
        super().__init__("\n".join([*lines, *(f"  {problem}" for problem in self.problems)]))

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.source, self.problems))


def nearest(name: object, allowed: Iterable[str]) -> str:
    """A ready hint, ``" Did you mean 'sam'?"``, or an empty string when nothing is close."""
    close = difflib.get_close_matches(str(name), list(allowed), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def unknown(kind: str, name: object, allowed: Iterable[str]) -> str:
    """Say that there is no such name, which names there are, and which is nearest."""
    allowed = sorted(allowed)
    return (
        f"there is no {kind} {str(name)!r}.{nearest(name, allowed)} Allowed: {', '.join(allowed)}."
    )
