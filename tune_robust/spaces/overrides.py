"""``--set path=value``: changes to a document before it is validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from tune_robust.config import Part
from tune_robust.errors import ConfigError, Problem, UserError, nearest
from tune_robust.spaces.paths import config_paths, nested_copy, set_path
from tune_robust.spaces.searchers import FROM_ENDED, WITHOUT_RESULTS
from tune_robust.spaces.sections import Budget, Document, Objective, Resources, Searcher
from tune_robust.spaces.yaml_text import parse_yaml

_SECTIONS: dict[str, type[Part]] = {
    "budget": Budget,
    "searcher": Searcher,
    "objective": Objective,
    "resources": Resources,
}
Overrides = Sequence[str] | Mapping[str, Any]
"""Changes as ``path=value`` with the value in YAML, or as a mapping from paths to values."""


def apply_overrides(document: Any, overrides: Overrides) -> Any:
    """Return a copy of ``document`` with ``overrides`` such as ``optimizer.lr=5e-4``.

    ``document`` consists of nested mappings. Values are YAML; the later of two overrides wins. A
    path that does not exist is set as well, so that the validation reports it like any other wrong
    key.

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


def parse_overrides(overrides: Overrides) -> tuple[list[tuple[str, Any]], list[Problem]]:
    """Return the overrides as (path, value) pairs, and unreadable ones as problems."""
    if isinstance(overrides, Mapping):
        return _checked(overrides)
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


def _checked(settings: Mapping[str, Any]) -> tuple[list[tuple[str, Any]], list[Problem]]:
    """Return the pairs with plain values: tuples become lists, and paths become text."""
    pairs, problems = [], []
    for path, value in settings.items():
        if not isinstance(path, str) or not all(path.split(".")):
            message = "expected a key path, for example 'train.epochs'"
            problems.append(Problem(str(path), message))
            continue
        pairs.append((path, plain(value)))
    return pairs, problems


def plain(value: Any) -> Any:
    """Return ``value`` as plain data: mappings, lists, text, numbers, booleans and None."""
    match value:
        case Mapping():
            return {key: plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case PurePath():
            return str(value)
    item = getattr(value, "item", None)  # a NumPy scalar
    return item() if callable(item) and getattr(value, "ndim", None) == 0 else value


@dataclass
class SpaceOverrides:
    """The effect of overrides on a space.

    These are their problems, the paths set in ``train``, the paths in ``search`` with a new
    distribution, and those that were removed.
    """

    problems: list[Problem] = field(default_factory=list)
    train: list[str] = field(default_factory=list)
    search: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def override_space(document: dict[str, Any], overrides: Overrides) -> SpaceOverrides:
    """Apply ``overrides`` such as ``train.epochs=2`` to a space's ``document``, in place.

    Keys under ``search`` contain dots: ``search.sam.rho={log_uniform: [0.1, 1]}``.
    ``search.sam.rho=null`` removes the dimension.
    """
    pairs, problems = parse_overrides(overrides)
    before = nested_copy(document.get("budget"))
    done = SpaceOverrides([Problem(f"--set {p.path}", p.message) for p in problems])
    for path, value in pairs:
        section, _, inner = path.partition(".")
        if section not in Document.model_fields:
            done.problems.append(Problem(path, _no_such(path)))
            continue
        if section == "search" and inner:
            _set_dimension(document, inner, value, done)
            continue
        if section == "train" and inner:
            done.train.append(inner)
        set_path(document, path, value)
    given = dict(pairs).keys()
    if given & {"searcher", "searcher.name"} and not given & {"budget", "budget.scheduler"}:
        _follow_searcher(document)
    if given & {"budget", "budget.scheduler"} and not given & {"searcher", "searcher.name"}:
        _follow_scheduler(document)
    if "budget.sentinels" not in given:
        _scale_sentinels(before, document.get("budget"))
    return done


def _no_such(path: str) -> str:
    """Return a message with the setting that the user may have meant by ``path``."""
    known = [f"train.{inner}" for inner in config_paths()]
    known += [
        f"{name}.{key}" for name, section in _SECTIONS.items() for key in section.model_fields
    ]
    hint = nearest(path, [*Document.model_fields, *known])
    return (
        f"a space has no such section.{hint} A setting of the training configuration begins with "
        f"`train.`; the sections are {', '.join(Document.model_fields)}"
    )


def _follow_searcher(document: dict[str, Any]) -> None:
    """Choose the scheduler anew if the searcher cannot be used with that of the document.

    The document of a loaded space, or of a run, has the scheduler that was chosen for its searcher.
    """
    budget, searcher = document.get("budget"), document.get("searcher")
    if not isinstance(budget, dict) or not isinstance(searcher, dict):
        return
    if budget.get("scheduler") == "promotion" and searcher.get("name") in FROM_ENDED:
        budget["scheduler"] = "auto"


def _follow_scheduler(document: dict[str, Any]) -> None:
    """Choose the searcher anew if that of the document cannot be used with the scheduler pb2."""
    budget, searcher = document.get("budget"), document.get("searcher")
    if not isinstance(budget, dict) or not isinstance(searcher, dict):
        return
    if budget.get("scheduler") == "pb2" and searcher.get("name") not in WITHOUT_RESULTS:
        searcher.pop("name", None)


def _scale_sentinels(before: Any, budget: Any) -> None:
    """Scale the number of sentinels with the number of trials, unless it is set.

    Without early stopping there are none, nor in a population.
    """
    if not isinstance(before, dict) or not isinstance(budget, dict):
        return
    counts = (before.get("sentinels"), before.get("trials"), budget.get("trials"))
    positive = [count for count in counts if isinstance(count, int) and count > 0]
    if len(positive) < len(counts):
        return
    sentinels, trials, left = positive
    if budget.get("scheduler") in {"none", "pb2"} - {before.get("scheduler")}:
        budget["sentinels"] = 0
    elif left < trials:
        budget["sentinels"] = sentinels * left // trials


def _set_dimension(document: dict[str, Any], path: str, value: Any, done: SpaceOverrides) -> None:
    search = document.setdefault("search", {})
    if not isinstance(search, dict):
        return  # the validation reports the section
    if value is not None:
        search[path] = value
        done.search.append(path)
    elif path in search:
        del search[path]
        done.removed.append(path)
    else:
        message = f"it is not searched, so it cannot be removed.{nearest(path, search)}"
        done.problems.append(Problem(f"search.{path}", message))
