"""The searched settings of a space: which, drawn from what, and under which condition."""

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

    ``path``: its key path in TrainConfig. ``name``: unique in the space; the path itself unless the
    path has several alternatives, then with its condition, as in ``sam.rho[method=asam]``.
    ``when``: conditions on other searched paths, all of which must hold for it to be drawn.
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
        """Whether it is drawn, given the ``values`` drawn so far (by path)."""
        return all(p in values and c.holds(values[p]) for p, c in self.conditions.items())

    def document(self) -> dict[str, Any]:
        """As in the YAML."""
        document = self.distribution.document()
        if self.when:
            document["when"] = {path: c.document() for path, c in self.when.items()}
        return document


@dataclass
class ParsedSearch:
    """The ``search`` section as far as it could be read, with its problems.

    ``paths`` are all that it names, the unreadable ones included.
    """

    dimensions: list[Dimension] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


# What the space settles for all trials, so that they differ in their parameters alone.
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
    """Why ``path`` cannot differ between the trials of a search, or None if it can.

    A grid chooses nothing, and so may go through label sets and seeds as well: it fills in a table.
    ``epochs``: whether they are searched, so that each trial brings its own.
    """
    in_a_table = grid and (path == "seed" or varies_labels(path))
    if f"{path}.".startswith(f"{_DATA_ALLOWED}.") or in_a_table or (epochs and path == "epochs"):
        return None
    reason = _REFUSED.get(path.partition(".")[0])
    return f"it cannot be searched: {reason.format(path=path)}" if reason else None


def varies_labels(path: str) -> bool:
    """Whether trials that differ in ``path`` learn other labels, so that none beats the other."""
    return any(f"{path}.".startswith(f"{labels}.") for labels in _LABEL_SETS)


def unknown_path(path: object) -> str:
    """Say that TrainConfig has no such path, and which is nearest."""
    return f"there is no such setting.{nearest(path, config_paths())}"


def parse_search(section: Any, *, grid: bool = False) -> ParsedSearch:
    """The ``search`` section: a mapping from paths to a distribution or a list of alternatives.

    ``grid``: whether the searcher is one.
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
    """One alternative of ``path``: a distribution and, under ``when``, its conditions.

    Raises:
        ValueError: what was found and what is allowed.
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
    """The dimensions with unique names: alternatives of one path carry their condition."""
    paths = [dimension.path for dimension in dimensions]
    return [
        d.model_copy(update={"name": _full_name(d) if paths.count(d.path) > 1 else d.path})
        for d in dimensions
    ]


def _full_name(dimension: Dimension) -> str:
    conditions = (c.describe(path) for path, c in dimension.conditions.items())
    return f"{dimension.path}[{','.join(conditions)}]"


def in_order(dimensions: Sequence[Dimension]) -> tuple[list[Dimension], list[Problem]]:
    """The dimensions with each after those that its ``when`` names; the circles are problems."""
    ordered: list[Dimension] = []
    waiting = list(dimensions)
    while waiting:
        blocked = {dimension.path for dimension in waiting}
        ready = [d for d in waiting if not blocked & set(d.conditions)]
        if not ready:
            circle = " and ".join(sorted(blocked))
            message = f"the conditions of {circle} wait for each other: drop one of them"
            return ordered, [Problem("search", message)]
        ordered.append(ready[0])
        waiting.remove(ready[0])
    return ordered, []
