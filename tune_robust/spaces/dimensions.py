"""The dimensions of a space: its searched settings, their distributions and conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tune_robust.config import Part
from tune_robust.errors import Problem, nearest
from tune_robust.spaces.distributions import (
    Condition,
    Distribution,
    parse_condition,
    parse_distribution,
)
from tune_robust.spaces.paths import config_paths, is_path


class Dimension(Part):
    """One searched setting.

    ``path`` is its key path in TrainConfig. ``name`` is unique in the space: the path itself or, if
    the path has several alternatives, the path with its condition, as in ``sam.rho[method=asam]``.
    ``when`` has conditions on other searched paths, all of which must hold for it to be drawn.
    """

    path: str
    name: str
    distribution: Distribution
    when: dict[str, Condition] | None = None

    @property
    def conditions(self) -> dict[str, Condition]:
        """``when``, empty if the dimension is always drawn."""
        return self.when or {}

    def active(self, values: Mapping[str, Any]) -> bool:
        """Return whether it is drawn, given the ``values`` drawn so far (by path)."""
        return all(p in values and c.holds(values[p]) for p, c in self.conditions.items())

    def document(self) -> dict[str, Any]:
        """Return the plain data, as in the YAML file."""
        document = self.distribution.document()
        if self.when:
            document["when"] = {path: c.document() for path, c in self.when.items()}
        return document


@dataclass
class ParsedSearch:
    """The ``search`` section as far as it is readable, with its problems.

    ``paths`` are all paths that it names, including unreadable ones.
    """

    dimensions: list[Dimension] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


# Settings that are fixed for all trials, so that they differ only in their parameters.
_REFUSED = {
    "epochs": "the budget sets each trial's epochs. Set train.epochs or budget.max, or search it",
    "seed": "only a grid repeats its trials with several seeds. Set train.seed, or retrain the "
    "leading trials on fresh seeds with `tune-robust confirm`",
    "threads": "it changes the speed, not the result. Set resources.cpus instead",
    "data": "all trials share one data set, split and noise draw. Run one search per value, with "
    "--set train.{path}=...",
}
_DATA_ALLOWED = "data.augment"
_LABEL_SETS = ("data.dataset", "data.options", "data.label_column", "data.noise", "data.subset")


def refusal(path: str, *, grid: bool = False, epochs: bool = False) -> str | None:
    """Return why ``path`` cannot differ between the trials of a search, or None if it can.

    A grid may also vary label sets and seeds, since it fills in a table and selects nothing.
    ``epochs``: whether the number of epochs is searched.
    """
    in_a_table = grid and (path == "seed" or varies_labels(path))
    if f"{path}.".startswith(f"{_DATA_ALLOWED}.") or in_a_table or (epochs and path == "epochs"):
        return None
    reason = _REFUSED.get(path.partition(".")[0])
    return f"it cannot be searched: {reason.format(path=path)}" if reason else None


def varies_labels(path: str) -> bool:
    """Return whether trials that differ in ``path`` learn different labels."""
    return any(f"{path}.".startswith(f"{labels}.") for labels in _LABEL_SETS)


def unknown_path(path: object) -> str:
    """Return the message that TrainConfig has no such path, with the nearest one."""
    return f"there is no such setting.{nearest(path, config_paths())}"


def parse_search(section: Any, *, grid: bool = False) -> ParsedSearch:
    """Parse the ``search`` section: it maps paths to a distribution or a list of alternatives.

    ``grid``: whether the searcher is a grid.
    """
    parsed = ParsedSearch()
    if not isinstance(section, Mapping) or not section:
        message = f"found {section!r}; expected settings to search, as sam.rho: {{uniform: [0, 1]}}"
        parsed.problems.append(Problem("search", message))
        return parsed
    for path, given in section.items():
        parsed.paths.append(str(path))
        if not is_path(path):
            parsed.problems.append(Problem(f"search.{path}", unknown_path(path)))
        elif reason := refusal(path, grid=grid, epochs=True):
            parsed.problems.append(Problem(f"search.{path}", reason))
        else:
            _parse_path(parsed, path, given)
    return parsed


def _parse_path(parsed: ParsedSearch, path: str, given: Any) -> None:
    alternatives = given if isinstance(given, list) and given else [given]
    for number, alternative in enumerate(alternatives):
        where = f"search.{path}.{number}" if isinstance(given, list) else f"search.{path}"
        try:
            parsed.dimensions.append(parse_dimension(path, alternative))
        except ValueError as error:
            parsed.problems.append(Problem(where, str(error)))


def parse_dimension(path: str, given: Any) -> Dimension:
    """Parse one alternative of ``path``: a distribution and, under ``when``, its conditions.

    Raises:
        ValueError: it is not valid; the message says what was found and what is allowed.
    """
    if not isinstance(given, Mapping):
        raise ValueError(
            f"found {given!r}; expected a distribution, such as {{uniform: [low, high]}} or "
            f"{{choice: [...]}}. To fix the value, set train.{path} and leave it out of search "
            f"(on the command line: --set train.{path}=... --set search.{path}=null)"
        )
    rest = {key: value for key, value in given.items() if key != "when"}
    distribution = parse_distribution(rest)
    when = _parse_when(path, given["when"]) if given.get("when") is not None else None
    return Dimension(path=path, name=path, distribution=distribution, when=when)


def _parse_when(path: str, given: Any) -> dict[str, Condition]:
    if not isinstance(given, Mapping) or not given:
        raise ValueError(f"found when: {given!r}; expected conditions, as when: {{method: sam}}")
    conditions = {}
    for other, condition in given.items():
        if not is_path(other):
            raise ValueError(f"when: {other}: {unknown_path(other)}")
        try:
            conditions[other] = parse_condition(condition)
        except ValueError as error:
            raise ValueError(f"when: {other}: {error}") from None
    return conditions


def named(dimensions: Sequence[Dimension]) -> list[Dimension]:
    """Return the dimensions with unique names: alternatives of a path include their condition."""
    paths = [dimension.path for dimension in dimensions]
    return [
        d.model_copy(update={"name": _full_name(d) if paths.count(d.path) > 1 else d.path})
        for d in dimensions
    ]


def _full_name(dimension: Dimension) -> str:
    conditions = (c.describe(path) for path, c in dimension.conditions.items())
    return f"{dimension.path}[{','.join(conditions)}]"


def in_order(dimensions: Sequence[Dimension]) -> tuple[list[Dimension], list[Problem]]:
    """Return the dimensions, each after those in its ``when``; cycles are problems."""
    ordered: list[Dimension] = []
    waiting = list(dimensions)
    while waiting:
        blocked = {dimension.path for dimension in waiting}
        ready = [d for d in waiting if not blocked & set(d.conditions)]
        if not ready:
            circle = " and ".join(sorted(blocked))
            message = f"the conditions of {circle} depend on each other: remove one of them"
            return ordered, [Problem("search", message)]
        ordered.append(ready[0])
        waiting.remove(ready[0])
    return ordered, []
