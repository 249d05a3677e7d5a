"""Distributions of search dimensions, and the conditions under which they are drawn."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from tune_robust.config import Part
from tune_robust.errors import nearest

Plain = bool | int | float | str | None
"""A value that fits into one cell of a table."""


class _Range(Part):
    kind: ClassVar[str]
    low: float
    high: float

    def document(self) -> dict[str, Any]:
        """Return the plain data, as in ``{uniform: [0.0, 1.0]}``."""
        return {self.kind: [self.low, self.high]}

    def contains(self, value: Any) -> bool:
        """Return whether ``value`` can be drawn."""
        return _is_number(value) and self.low <= value <= self.high

    def ends(self) -> tuple[Any, ...]:
        """Return the extreme values, lowest first."""
        return (self.low, self.high)

    def __str__(self) -> str:
        return f"{self.kind} [{self.low:g}, {self.high:g}]"


class _RealRange(_Range):
    def probes(self, cuts: Iterable[float] = ()) -> tuple[float, ...]:
        """Return the ends, the ``cuts`` between them, and a value inside each interval."""
        inside = (float(cut) for cut in cuts if self.low < cut < self.high)
        stops = sorted({self.low, self.high, *inside})
        return tuple(sorted({*stops, *(a + 0.618 * (b - a) for a, b in itertools.pairwise(stops))}))


class _WholeRange(_Range):
    low: int
    high: int

    def contains(self, value: Any) -> bool:
        """Return whether ``value`` can be drawn."""
        return isinstance(value, int) and super().contains(value)

    def probes(self, cuts: Iterable[float] = ()) -> tuple[int, ...]:
        """Return the ends, and the integers around each of the ``cuts``."""
        around = (math.floor(cut) + step for cut in cuts for step in (-1, 0, 1))
        return tuple(sorted({self.low, self.high, *filter(self.contains, around)}))


class Uniform(_RealRange):
    """A real number in [low, high]."""

    kind = "uniform"


class LogUniform(_RealRange):
    """A real number in [low, high] with a uniform logarithm, for scales such as rho; low > 0."""

    kind = "log_uniform"


class Int(_WholeRange):
    """An integer in [low, high], including both ends."""

    kind = "int"


class LogInt(_WholeRange):
    """An integer in [low, high] with a uniform logarithm; low > 0."""

    kind = "log_int"


class _Listed(Part):
    kind: ClassVar[str]
    values: tuple[Any, ...]

    def document(self) -> dict[str, Any]:
        """Return the plain data, as in ``{choice: [sam, saner]}``."""
        return {self.kind: list(self.values)}

    def contains(self, value: Any) -> bool:
        """Return whether ``value`` can be drawn."""
        return any(_same(value, listed) for listed in self.values)

    def ends(self) -> tuple[Any, ...]:
        """Return all the values."""
        return self.values

    def probes(self, cuts: Iterable[float] = ()) -> tuple[Any, ...]:
        """Return all the values."""
        return self.values

    def __str__(self) -> str:
        return f"{self.kind} [{', '.join(map(str, self.values))}]"


class Choice(_Listed):
    """One of several values without an order: text, true or false, null, numbers."""

    kind = "choice"


class Grid(_Listed):
    """One of several numbers, in their order."""

    kind = "grid"


Distribution = Uniform | LogUniform | Int | LogInt | Choice | Grid

DISTRIBUTIONS: dict[str, type[Distribution]] = {
    d.kind: d for d in (Uniform, LogUniform, Int, LogInt, Choice, Grid)
}


def parse_distribution(given: Mapping[str, Any]) -> Distribution:
    """Parse a distribution such as ``{log_uniform: [0.01, 1.0]}``.

    Raises:
        ValueError: it is not valid; the message says what was found and what is allowed.
    """
    allowed = ", ".join(DISTRIBUTIONS)
    if len(given) != 1:
        raise ValueError(f"found {dict(given)!r}; expected exactly one of {allowed}")
    ((kind, content),) = given.items()
    if kind not in DISTRIBUTIONS:
        raise ValueError(
            f"there is no distribution {kind!r}.{nearest(kind, DISTRIBUTIONS)} Allowed: {allowed}"
        )
    distribution = DISTRIBUTIONS[kind]
    if issubclass(distribution, _Listed):
        return distribution(values=_listed(kind, content))
    low, high = _bounds(kind, content, whole=issubclass(distribution, _WholeRange))
    return distribution.model_validate({"low": low, "high": high})


_MOST = 2**53


def _bounds(kind: str, content: Any, *, whole: bool) -> tuple[float, float]:
    right: Callable = _is_whole if whole else _is_number
    if not (isinstance(content, list) and len(content) == 2 and all(map(right, content))):
        numbers = "whole numbers" if whole else "numbers"
        raise ValueError(f"found {kind}: {content!r}; expected two {numbers}, [low, high]")
    low, high = content
    if whole and max(abs(low), abs(high)) > _MOST:
        raise ValueError(
            f"found {kind}: {content!r:.80}; expected at most 2^53, beyond which neighbouring "
            "whole numbers are the same floating-point number"
        )
    if low >= high:
        raise ValueError(f"found {kind}: {content!r}; expected low < high")
    if kind.startswith("log_") and low <= 0:
        raise ValueError(f"found {kind}: {content!r}; expected low > 0, as it has a logarithm")
    return low, high


def _listed(kind: str, content: Any) -> tuple[Plain, ...]:
    if not isinstance(content, list) or not content:
        raise ValueError(f"found {kind}: {content!r}; expected a list of values")
    for number, value in enumerate(content):
        if kind == "grid" and not _is_number(value):
            raise ValueError(f"found {value!r} in grid; expected numbers (choice takes the rest)")
        if not isinstance(value, Plain):
            raise ValueError(
                f"found {value!r} in choice; expected text, numbers, true, false, null"
            )
        if any(_same(value, other) for other in content[:number]):
            raise ValueError(f"found {value!r} twice in {kind}")
    return tuple(content)


def _same(one: Any, other: Any) -> bool:
    """Return whether the values are equal; True and 1 are different values."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= sys.float_info.max


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class Condition(Part):
    """A condition on the value of another dimension; all given fields must hold."""

    among: tuple[Plain, ...] | None = None
    excluded: tuple[Plain, ...] | None = None
    below: float | None = None
    above: float | None = None

    def holds(self, value: Any) -> bool:
        """Return whether ``value`` meets the condition.

        Text is neither below nor above a number.
        """
        if self.among is not None and not any(_same(value, v) for v in self.among):
            return False
        if self.excluded is not None and any(_same(value, v) for v in self.excluded):
            return False
        if self.cuts and not _is_number(value):
            return False
        return (self.below is None or value < self.below) and (
            self.above is None or value > self.above
        )

    @property
    def cuts(self) -> tuple[float, ...]:
        """Return the numbers at which ``holds`` changes."""
        return tuple(cut for cut in (self.below, self.above) if cut is not None)

    @property
    def values(self) -> tuple[Plain, ...]:
        """Return all values that the condition lists."""
        return (*(self.among or ()), *(self.excluded or ()))

    def document(self) -> Any:
        """Return the plain data: a value, a list, or a mapping with ``below`` and the like."""
        if self.among is not None:
            return self.among[0] if len(self.among) == 1 else list(self.among)
        given = {"below": self.below, "above": self.above}
        document: dict[str, Any] = {k: value for k, value in given.items() if value is not None}
        if self.excluded is not None:
            document["not"] = list(self.excluded)
        return document

    def describe(self, path: str) -> str:
        """Describe the condition briefly: ``method=sam|saner``, ``saner.alpha<1``."""
        parts = []
        if self.among is not None:
            parts.append(f"{path}={'|'.join(map(str, self.among))}")
        if self.excluded is not None:
            parts.append(f"{path}!={'|'.join(map(str, self.excluded))}")
        if self.below is not None:
            parts.append(f"{path}<{self.below:g}")
        if self.above is not None:
            parts.append(f"{path}>{self.above:g}")
        return ",".join(parts)


def parse_condition(given: Any) -> Condition:
    """Parse a value, a list of values, ``{below: x}``, ``{above: x}`` or ``{not: value(s)}``.

    Raises:
        ValueError: it is not valid; the message says what was found and what is allowed.
    """
    if not isinstance(given, Mapping):
        return Condition(among=_values(given))
    allowed = ("below", "above", "not")
    for key, value in given.items():
        if key not in allowed:
            raise ValueError(
                f"there is no condition {key!r}.{nearest(key, allowed)} Allowed: a value, a list "
                "of values, {below: x}, {above: x}, {not: value}"
            )
        if key != "not" and not _is_number(value):
            raise ValueError(f"found {key}: {value!r}; expected a number")
    if not given:
        raise ValueError("found an empty condition; expected a value, a list, or {below: x}")
    excluded = _values(given["not"]) if "not" in given else None
    return Condition(excluded=excluded, below=given.get("below"), above=given.get("above"))


def _values(given: Any) -> tuple[Plain, ...]:
    values = given if isinstance(given, list) else [given]
    if not values or not all(isinstance(value, Plain) for value in values):
        raise ValueError(f"found {given!r}; expected a value or a list of values")
    return tuple(values)
