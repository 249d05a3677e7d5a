"""Checks of a space beyond the types of its sections: all that it can draw must be valid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tune_robust.config import PRESETS, TrainConfig
from tune_robust.errors import Problem
from tune_robust.spaces.composition import PARTS, compose, has_part, method_parts
from tune_robust.spaces.dimensions import (
    Dimension,
    ParsedSearch,
    in_order,
    named,
    refusal,
    unknown_path,
)
from tune_robust.spaces.distributions import Condition
from tune_robust.spaces.draws import Draws
from tune_robust.spaces.paths import get_path, is_path
from tune_robust.validation import collect_problems


@dataclass(frozen=True)
class Resolved:
    """The dimensions in dependency order, and the paths of those that can never be drawn."""

    dimensions: tuple[Dimension, ...]
    left_out: frozenset[str]
    problems: tuple[Problem, ...]


def resolve(parsed: ParsedSearch, train: Mapping[str, Any], base: TrainConfig | None) -> Resolved:
    """Return the dimensions that can be drawn, each with its undecided conditions.

    A condition on a setting that is not searched is decided by ``train`` (``base`` is its
    configuration). The same file can therefore be used to search over methods and with a fixed
    method.
    """
    problems = [*parsed.problems, *_condition_problems(parsed, train)]
    readable = {dimension.path for dimension in parsed.dimensions}
    possible = []
    for dimension in parsed.dimensions:
        conditions = dimension.conditions.items()
        decided = [(p, c) for p, c in conditions if p not in parsed.paths]
        if base is None or all(c.holds(get_path(base, p)) for p, c in decided):
            when = {p: c for p, c in conditions if p in readable}
            possible.append(dimension.model_copy(update={"when": when or None}))
    ordered, circles = in_order(possible)
    draws = Draws(ordered)
    drawn = named([d for d in ordered if draws.first(d.conditions) is not None])
    if readable and not drawn and not circles:
        problems.append(Problem("search", "no condition can be met, so no dimension is searched"))
    left_out = readable - {d.path for d in drawn}
    problems += [*circles, *_drawn_problems(train, drawn)]
    return Resolved(tuple(drawn), frozenset(left_out), tuple(problems))


def _condition_problems(parsed: ParsedSearch, train: Mapping[str, Any]) -> Iterator[Problem]:
    searched = parsed.dimensions
    for dimension in searched:
        for path, condition in dimension.conditions.items():
            where = f"search.{dimension.path}.when.{path}"
            for value in condition.values:
                if any(d.path == path and d.distribution.contains(value) for d in searched):
                    continue  # it is checked there, together with related settings
                for message in _value_messages(train, {path: value}, path):
                    yield Problem(where, message)
            follows = path not in parsed.paths and path.split(".")[0] in PARTS
            if follows and "method" in parsed.paths:
                yield Problem(where, "it follows from method, which is searched: name method")


def _value_messages(
    train: Mapping[str, Any],
    values: Mapping[str, Any],
    path: str,
    own_parts: frozenset[str] = frozenset(),
) -> list[str]:
    """Return what is wrong at ``path``, or above it, with ``values`` applied to ``train``."""
    found, _ = collect_problems(TrainConfig, compose(train, values, own_parts))
    return [p.message for p in found if _within(p.path, path) or _within(path, p.path)]


def _within(inner: str, outer: str) -> bool:
    return bool(outer) and f"{inner}.".startswith(f"{outer}.")


def methods_of(train: Mapping[str, Any], dimensions: Sequence[Dimension]) -> list[Any]:
    """Return the methods that a space can draw; its own one if it does not search any."""
    drawn = [m for d in dimensions if d.path == "method" for m in d.distribution.ends()]
    return drawn or [train.get("method")]


def _drawn_problems(train: Mapping[str, Any], dimensions: Sequence[Dimension]) -> list[Problem]:
    """Return invalid values, dimensions that would change a method, and ambiguous paths."""
    draws = Draws(dimensions)
    own_parts = method_parts(train, methods_of(train, dimensions))
    of_parts = [*_part_problems(train, draws, own_parts)]
    # Without the loss that they belong to, no value of its settings would be right.
    homeless = {p.path for p in of_parts if p.path.startswith("search.loss.")}
    of_values = [p for p in _value_problems(train, draws, own_parts) if p.path not in homeless]
    return [*of_values, *of_parts, *_overlaps(draws)]


def _value_problems(
    train: Mapping[str, Any], draws: Draws, own_parts: frozenset[str]
) -> list[Problem]:
    at_ends: dict[Problem, None] = {}
    inside: dict[Problem, None] = {}
    for dimension, values in draws.each():
        found = at_ends if values[dimension.path] in dimension.distribution.ends() else inside
        for message in _value_messages(train, values, dimension.path, own_parts):
            found[Problem(f"search.{dimension.name}", message)] = None
    ended = {problem.path for problem in at_ends}
    return [*at_ends, *(problem for problem in inside if problem.path not in ended)]


def _part_problems(
    train: Mapping[str, Any], draws: Draws, own_parts: frozenset[str]
) -> Iterator[Problem]:
    """Return dimensions that would add a part to a method: SGD with a rho would be SAM."""
    methods = methods_of(train, draws.dimensions)
    searched = any(d.path == "method" for d in draws.dimensions)
    for dimension in draws.dimensions:
        part = dimension.path.split(".")[0]
        added = train.get(part) is not None and not (searched and part in own_parts)
        if part not in PARTS or added:
            continue
        lacking = [m for m in methods if m in (None, *PRESETS) and not has_part(m, part)]
        if searched:
            lacking = [m for m in lacking if _meet(draws, m, dimension)]
        if lacking:
            message = _drawn_lack(lacking, part, methods) if searched else _lacks(lacking[0], part)
            yield Problem(f"search.{dimension.name}", message)


def _meet(draws: Draws, method: Any, dimension: Dimension) -> bool:
    """Return whether a trial can draw both the method and the dimension."""
    drawn = {"method": Condition(among=(method,))}
    return draws.first(drawn, dimension.conditions) is not None


_DEFAULTS = {"loss": "{name: ce}", "bootstrap_rounds": "1"}
"""The parts that every configuration has, with their defaults."""


def _lacks(method: str | None, part: str) -> str:
    having = ", ".join(m for m in PRESETS if has_part(m, part))
    subject = f"the method {method!r}" if method else "train"
    if part in _DEFAULTS:
        return (
            f"{subject} leaves {part} at {_DEFAULTS[part]}, and this would make it another "
            f"method. Set train.method to one that sets it ({having}), or state explicitly that it "
            f"may vary, with train.{part}: {_DEFAULTS[part]}"
        )
    return (
        f"{subject} has no {part}, and this would add it. Set train.method to one that has it "
        f"({having}), or add it explicitly with train.{part}"
    )


def _drawn_lack(lacking: Sequence[Any], part: str, methods: Sequence[Any]) -> str:
    names = " or ".join(str(method) for method in lacking)
    having = ", ".join(m for m in methods if has_part(m, part))
    remedy = f"Add when: {{method: [{having}]}}" if having else "Leave it out"
    if part in _DEFAULTS:
        default = _DEFAULTS[part]
        return (
            f"method can be {names}, with {part} at {default}, and this would change it. {remedy}"
        )
    return f"method can be {names}, without {part}, and this would add it. {remedy}"


def _overlaps(draws: Draws) -> Iterator[Problem]:
    for number, one in enumerate(draws.dimensions):
        for other in draws.dimensions[number + 1 :]:
            if one.path == other.path and draws.first(one.conditions, other.conditions) is not None:
                message = (
                    f"the alternatives {one.distribution} and {other.distribution} can hold at "
                    "once: give each a when that excludes the other"
                )
                yield Problem(f"search.{one.path}", message)


def combination_problems(
    train: Mapping[str, Any], dimensions: Sequence[Dimension]
) -> list[Problem]:
    """Return values that are valid alone but not together, with an example for each setting."""
    draws = Draws(dimensions)
    own_parts = method_parts(train, methods_of(train, dimensions))
    examples: dict[str, Problem] = {}
    drawn_together = (*(values for _, values in draws.each()), *draws.pairs())
    for values in {repr(sorted(values.items())): values for values in drawn_together}.values():
        found, _ = collect_problems(TrainConfig, compose(train, values, own_parts))
        drawn = ", ".join(f"{path}: {value}" for path, value in values.items())
        for problem in found:
            message = f"these can be drawn together: {drawn}. {problem}"
            examples.setdefault(problem.path, Problem("search", message))
    return [*examples.values()]


def baseline_problems(
    baselines: Mapping[int, Mapping[str, Any]],
    train: Mapping[str, Any],
    dimensions: Sequence[Dimension],
) -> Iterator[Problem]:
    """Return baselines with unknown settings, settings that cannot vary, or invalid values."""
    own_parts = method_parts(train, methods_of(train, dimensions))
    of_train, _ = collect_problems(TrainConfig, train)
    searched = {dimension.path for dimension in dimensions}
    epochs, seeds = "epochs" in searched, "seed" in searched
    for number, baseline in baselines.items():
        settings = {}
        for path, value in baseline.items():
            known = is_path(path)
            message = refusal(path, epochs=epochs) if known else unknown_path(path)
            if message and not (seeds and path == "seed"):
                yield Problem(f"baselines.{number}.{path}", message)
            else:
                settings[path] = value
        found, _ = collect_problems(TrainConfig, compose(train, settings, own_parts))
        for problem in found:
            if problem not in of_train:
                where = ".".join(filter(None, [f"baselines.{number}", problem.path]))
                yield Problem(where, problem.message)
