"""``--set path=value``: changes to a document before it is validated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tune_robust.errors import ConfigError, Problem, UserError, nearest
from tune_robust.spaces.paths import nested_copy, set_path
from tune_robust.spaces.yaml_text import parse_yaml


def apply_overrides(document: Any, overrides: Sequence[str]) -> Any:
    """A copy of ``document`` (nested mappings) with ``overrides`` such as ``optimizer.lr=5e-4``.

    Values are YAML; the later of two wins. A path that does not exist is set all the same, for the
    validation to report like any other wrong key.

    Raises:
        ConfigError: an override is not ``path=value``, or its value is not YAML.
    """
    pairs, problems = parse_overrides(overrides)
    if problems:
        raise ConfigError("--set", problems)
    document = nested_copy(document)
    if isinstance(document, dict):
        for path, value in pairs:
            set_path(document, path, value)
    return document


def parse_overrides(overrides: Sequence[str]) -> tuple[list[tuple[str, Any]], list[Problem]]:
    """The overrides as (path, value) pairs, and those that could not be read as problems."""
    pairs, problems = [], []
    for override in overrides:
        path, equals, text = override.partition("=")
        path = path.strip()
        if not equals or not all(path.split(".")):
            message = "expected path=value, for example train.epochs=2"
            problems.append(Problem(override, message))
            continue
        try:
            pairs.append((path, parse_yaml(text, "its value")))
        except UserError as error:
            problems.append(Problem(override, str(error)))
    return pairs, problems


@dataclass
class SpaceOverrides:
    """What overrides did to a space: their problems, the paths given to ``train``, the paths under
    ``search`` that were given another distribution, and those that were removed.
    """

    problems: list[Problem] = field(default_factory=list)
    train: list[str] = field(default_factory=list)
    search: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def override_space(document: dict[str, Any], overrides: Sequence[str]) -> SpaceOverrides:
    """Apply ``overrides`` such as ``train.epochs=2`` to a space's ``document``, in place.

    Keys under ``search`` hold dots themselves: ``search.sam.rho={log_uniform: [0.1, 1]}``.
    ``search.sam.rho=null`` removes the dimension.
    """
    pairs, problems = parse_overrides(overrides)
    before = nested_copy(document.get("budget"))
    done = SpaceOverrides([Problem(f"--set {p.path}", p.message) for p in problems])
    for path, value in pairs:
        section, _, inner = path.partition(".")
        if section == "search" and inner:
            _set_dimension(document, inner, value, done)
            continue
        if section == "train" and inner:
            done.train.append(inner)
        set_path(document, path, value)
    if "budget.sentinels" not in dict(pairs):
        _share_sentinels(before, document.get("budget"))
    return done


def _share_sentinels(before: Any, budget: Any) -> None:
    """A shorter search keeps the share of its trials that are sentinels; where nothing is stopped,
    there are none: nobody has to lower them as well.
    """
    if not isinstance(before, dict) or not isinstance(budget, dict):
        return
    counts = (before.get("sentinels"), before.get("trials"), budget.get("trials"))
    positive = [count for count in counts if isinstance(count, int) and count > 0]
    if len(positive) < len(counts):
        return
    sentinels, trials, left = positive
    if budget.get("scheduler") == "none" != before.get("scheduler"):
        budget["sentinels"] = 0
    elif left < trials:
        budget["sentinels"] = sentinels * left // trials


def _set_dimension(document: dict[str, Any], path: str, value: Any, done: SpaceOverrides) -> None:
    search = document.setdefault("search", {})
    if not isinstance(search, dict):
        return  # the validation refuses the section itself
    if value is not None:
        search[path] = value
        done.search.append(path)
    elif path in search:
        del search[path]
        done.removed.append(path)
    else:
        message = f"it is not searched, so it cannot be removed.{nearest(path, search)}"
        done.problems.append(Problem(f"search.{path}", message))
