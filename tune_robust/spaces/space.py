"""A search space: a validated YAML file with typed sections."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from tune_robust.config import Part, TrainConfig, own_parts, parse_config, with_earlier_preset
from tune_robust.errors import ConfigError, Problem, UserError, unknown
from tune_robust.spaces.checks import (
    baseline_problems,
    combination_problems,
    methods_of,
    resolve,
)
from tune_robust.spaces.composition import compose, method_parts
from tune_robust.spaces.dimensions import Dimension, parse_search, varies_labels
from tune_robust.spaces.distributions import Choice, Grid
from tune_robust.spaces.draws import Draws, grid_points
from tune_robust.spaces.known import KnownPoints
from tune_robust.spaces.locations import locate_space
from tune_robust.spaces.loop_settings import (
    expand_loop_settings,
    has_loop,
    loop_problems,
    metric_problems,
)
from tune_robust.spaces.overrides import Overrides, SpaceOverrides, override_space
from tune_robust.spaces.paths import nested_copy
from tune_robust.spaces.searchers import (
    auto_problems,
    device_problems,
    objectives_problems,
    population_problems,
    promotion_problems,
    searcher_problems,
    with_scheduler,
)
from tune_robust.spaces.sections import (
    FORMAT,
    Budget,
    Document,
    Objective,
    Record,
    Resources,
    Searcher,
)
from tune_robust.spaces.sentinels import sentinel_numbers, sentinel_problems
from tune_robust.spaces.yaml_text import parse_yaml, read_text
from tune_robust.validation import collect_problems

INTERVALS = 8
"""The number of intervals of a complete trial, after which a population decides (pb2)."""


class Space(Part):
    """A resolved search space, as returned by ``load_space``.

    ``train`` is the section as given, the basis of every trial. ``dimensions`` are in dependency
    order: each comes after those in its conditions. ``format`` is the format of its document.
    """

    format: int = FORMAT
    name: str
    description: str
    train: dict[str, Any]
    dimensions: tuple[Dimension, ...]
    known: tuple[dict[str, Any], ...]
    baselines: tuple[dict[str, Any], ...]
    budget: Budget
    searcher: Searcher
    objective: Objective
    resources: Resources
    record: Record = Record()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Space:
        """Load the result of ``document()`` of this or an earlier version.

        Raises:
            ConfigError: it is not a valid space; the message has all problems.
        """
        document = {"format": 1, "record": {"predictions": []}, **nested_copy(document)}
        _use_earlier_search(document)
        if document["format"] == 1:
            _use_one_gpu(document.get("resources"))
            _use_own_seeds(document)
        return parse_space(document, source=f"space {document.get('name')}")

    def document(self) -> dict[str, Any]:
        """Return the resolved space as plain data, which loads as an equal space."""
        search: dict[str, list] = {}
        for dimension in self.dimensions:
            search.setdefault(dimension.path, []).append(dimension.document())
        return {
            "format": self.format,
            "name": self.name,
            **({"description": self.description} if self.description else {}),
            "train": nested_copy(self.train),
            "search": {p: found[0] if len(found) == 1 else found for p, found in search.items()},
            "known": nested_copy(self.known),
            "baselines": nested_copy(self.baselines),
            "budget": self.budget.model_dump(),
            "searcher": self.searcher.model_dump(),
            "objective": self.objective.model_dump(),
            "resources": self.resources.model_dump(),
            "record": self.record.model_dump(mode="json"),
        }

    @property
    def purpose(self) -> str:
        """The first line of the description."""
        return self.description.partition("\n")[0]

    @property
    def methods(self) -> tuple[str | None, ...]:
        """The methods that it can draw; None for parts given without a method's name."""
        return tuple(methods_of(self.train, self.dimensions))

    @cached_property
    def _drawn(self) -> tuple[TrainConfig, ...]:
        """Configurations that include every method that it can draw."""
        drawn = (values for _, values in Draws(self.dimensions).each())
        return tuple(self._parsed(values) for values in drawn)

    @cached_property
    def examples(self) -> tuple[TrainConfig, ...]:
        """Configurations that include every listed value and the ends of each range."""
        given = (self._parsed(values) for values in (*self.known, *self.baselines))
        return (*self._drawn, *given)

    @property
    def own_parts(self) -> tuple[str, ...]:
        """``module:attribute`` of all the parts from elsewhere that its trials may use."""
        return tuple(dict.fromkeys(n for c in self.examples for n in own_parts(c).values()))

    @property
    def has_loop(self) -> bool:
        """Whether its trials train by a loop of the user's own."""
        return self.train.get("loop") is not None

    @property
    def max_resource(self) -> float:
        """The compute of a complete trial, in the budget's unit.

        This is that of ``train.epochs`` of the most expensive method, or ``budget.max`` if that is
        less; in seconds, it is ``budget.max``. The compute of a loop of the user's own is known
        only as it reports: it is ``budget.max``, or without one its epochs.
        """
        if self.budget.max is not None and (self.has_loop or self.budget.unit == "seconds"):
            return self.budget.max
        return self._laid_out

    @property
    def ends_by_cost(self) -> bool:
        """Whether trials are over once they have spent ``max_resource``."""
        bounded = self.has_loop and self.budget.max is not None
        return bounded or self.budget.unit == "seconds"

    @property
    def _laid_out(self) -> float:
        """The compute that determines the number of epochs, in epochs or gradient evaluations."""
        epochs = max(config.epochs for config in self._drawn)
        if self.has_loop:
            return epochs
        full = epochs * max(map(self._cost_per_epoch, self._drawn))
        if self.budget.max is None or self.budget.unit == "seconds":
            return full
        return min(full, self.budget.max)

    @property
    def trials(self) -> int:
        """The number of trials: the baselines and those of the budget, or of a smaller grid."""
        beside = len(self.baselines) if self.format > 1 else 0
        if self.searcher.name == "grid":
            return min(self.budget.trials + beside, len(self._grid))
        return self.budget.trials + beside

    @property
    def total_trials(self) -> int:
        """The number of trials with those that continue others in a population (pb2)."""
        if self.budget.scheduler != "pb2":
            return self.trials
        return self.trials + len(self.decisions) * self.replaced

    @property
    def decisions(self) -> list[float]:
        """The resources at which a population decides who continues: each multiple of ``interval``.

        ``interval`` is an eighth of a complete trial, and at least one epoch, unless it is given.
        """
        interval = self.budget.interval or max(self.max_resource / INTERVALS, self.largest_epoch)
        count = math.ceil(self.max_resource * (1 - 1e-9) / interval)
        return [interval * number for number in range(1, count)]

    @property
    def replaced(self) -> int:
        """How many members of a population end at each decision: a quarter, rounded up."""
        return math.ceil((self.trials - len(self.baselines)) / 4)

    @property
    def largest_epoch(self) -> float:
        """The compute of an epoch of the most expensive method, in the budget's unit."""
        if self.budget.unit == "epochs":
            return 1.0
        return float(max(config.passes_per_step for config in self._drawn))

    @cached_property
    def sentinels(self) -> frozenset[int]:
        """The numbers (from 0) of the trials that are never stopped early."""
        planned = len(self.baselines) + len(self.known)
        return sentinel_numbers(self.budget.sentinels, planned=planned, total=self.trials)

    @cached_property
    def _grid(self) -> list[Mapping[str, Any]]:
        return [*self.baselines, *self.known, *grid_points(self.dimensions)]

    @property
    def max_gradient_evaluations(self) -> float:
        """The largest compute of the search, if no trial is stopped."""
        if self.searcher.name == "grid":
            configs = map(self.config_for, self._grid[: self.trials])
            return sum(config.gradient_evaluations for config in configs)
        beyond = max(c.gradient_evaluations / self._spent(c) for c in self._drawn)
        return self.trials * self._laid_out * beyond

    def _cost_per_epoch(self, config: TrainConfig) -> int:
        """Return the compute of one of its ``epochs``, which is trained in every round."""
        passes = 1 if self.budget.unit == "epochs" else config.passes_per_step
        return passes * (config.bootstrap_rounds if self.budget.rounds == "together" else 1)

    def _spent(self, config: TrainConfig) -> int:
        return self._cost_per_epoch(config) * config.epochs

    def config_for(
        self,
        values: Mapping[str, Any],
        *,
        number: int = 0,
        repeat: int = 0,
        threads: int | None = None,
    ) -> TrainConfig:
        """Return the configuration of trial ``number`` with ``values`` (by path).

        Its epochs are as many as ``max_resource`` allows at its cost per step and number of rounds,
        or those that it drew, if they are allowed. Its seed is the space's plus ``number``, or, if
        the trials share it, the space's plus ``repeat``, the number of earlier trials of its
        setting. A seed that a grid varies is also that of the data, so that the split and the noise
        are drawn with it.

        Raises:
            ConfigError: ``values`` are not of this space.
        """
        changes = {"threads": threads or self.train.get("threads") or self.resources.cpus}
        config = self._parsed(values)
        if "seed" in values:
            changes["data"] = config.data.model_copy(update={"seed": config.seed})
        elif self.searcher.seeds == "own":
            changes["seed"] = config.seed + number
        else:
            changes["seed"] = config.seed + repeat
        paid = max(1, int(self._laid_out // self._cost_per_epoch(config)))
        changes["epochs"] = min(config.epochs, paid) if "epochs" in values else paid
        return config.model_copy(update=changes)

    def _parsed(self, values: Mapping[str, Any]) -> TrainConfig:
        own_parts = method_parts(self.train, self.methods)
        document = compose(self.train, values, own_parts)
        if self.format == 1:
            document = with_earlier_preset(document)
        return parse_config(document, f"a trial of {self.name}")


def parse_space(
    document: Any, *, source: str, description: str = "", overrides: Overrides = ()
) -> Space:
    """Parse ``document`` (the plain data of a file) as a Space.

    Raises:
        ConfigError: it is not valid; the message has every problem of every section of ``source``.
    """
    if not isinstance(document, Mapping):
        raise UserError(f"{source}: found {document!r}; expected a space: name, train, search, ...")
    document = nested_copy(document)
    done = override_space(document, overrides)
    expand_loop_settings(document, done)
    searcher = _searcher_name(document.get("searcher"))
    grid = searcher == "grid"
    takes_all = _takes_all(document, grid)
    sections_problems, sections = collect_problems(Document, document)
    problems = [*done.problems, *sections_problems]

    train = document.get("train") if isinstance(document.get("train"), dict) else {}
    parsed = parse_search(document.get("search"), grid=grid)
    problems += _unused(done, parsed.paths)
    base = collect_problems(TrainConfig, train)[1]
    resolved = resolve(parsed, train, base)
    known, known_problems = KnownPoints(resolved, parsed.paths, done, base).sort(
        _mappings(document.get("known"))
    )
    baselines = _mappings(document.get("baselines"))
    problems += [*resolved.problems, *known_problems]
    baselines = _with_each_seed(baselines, resolved.dimensions)
    problems += baseline_problems(baselines, train, resolved.dimensions)
    problems += searcher_problems(searcher, resolved.dimensions)
    if has_loop(document):
        problems += loop_problems(document)
    problems += metric_problems(document)
    if sections is not None:
        sections = with_scheduler(sections, resolved.dimensions)
        problems += objectives_problems(searcher, sections.objective, sections.budget)
        problems += promotion_problems(searcher, sections.budget)
        problems += population_problems(sections, resolved.dimensions)
        problems += auto_problems(searcher, sections.objective, sections.budget)
        problems += device_problems(sections.budget, sections.resources)
        problems += _incomparable(resolved.dimensions, sections.budget)
    problems = problems or combination_problems(train, resolved.dimensions)
    if problems or sections is None:
        raise ConfigError(source, problems)
    space = Space(
        format=sections.format,
        name=sections.name,
        description=sections.description or description,
        train=train,
        dimensions=resolved.dimensions,
        known=tuple(known),
        baselines=tuple(baselines.values()),
        budget=sections.budget,
        searcher=sections.searcher,
        objective=sections.objective,
        resources=sections.resources,
        record=sections.record,
    )
    if takes_all:
        count = len(space._grid) - len(space.baselines)
        everything = space.budget.model_copy(update={"trials": count})
        space = space.model_copy(update={"budget": everything})
    if _needs_default_metric(document):
        space = space.model_copy(update={"objective": _by_information(space)})
    planned = len(space.baselines) + len(space.known)
    if problems := sentinel_problems(space.budget, planned=planned, total=space.trials):
        raise ConfigError(source, problems)
    if problems := _interval_problems(space):
        raise ConfigError(source, problems)
    return space


def _interval_problems(space: Space) -> list[Problem]:
    """Return why the interval of a population is not valid, if so."""
    given, most, epoch = space.budget.interval, space.max_resource, space.largest_epoch
    if given is None or epoch <= given < most:
        return []
    message = (
        f"found {given:g}; expected at least {epoch:g}, the compute of one epoch, and less than "
        f"{most:g}, that of a complete trial"
    )
    return [Problem("budget.interval", message)]


def _needs_default_metric(document: Mapping[str, Any]) -> bool:
    given = document.get("objective") or {}
    return given.get("metric") is None and not has_loop(document)


def _by_information(space: Space) -> Objective:
    """Return the objective with label information, unless all validation labels are right."""
    noisy = any(config.data.has_noisy_validation for config in space.examples)
    if not noisy or "val_information" in space.objective.against:
        return space.objective
    return space.objective.model_copy(update={"metric": "val_information"})


def _use_earlier_search(document: dict[str, Any]) -> None:
    """Add the searcher and the scheduler that were the defaults when documents could lack them."""
    document.setdefault("searcher", {})
    for section, key, default in (("searcher", "name", "tpe"), ("budget", "scheduler", "asha")):
        given = document.get(section)
        if isinstance(given, dict):
            given.setdefault(key, default)


def _use_one_gpu(resources: Any) -> None:
    """Convert format 1, in which more GPUs could be reserved than the one that a trial uses."""
    gpus = resources.get("gpus") if isinstance(resources, dict) else None
    if isinstance(gpus, int | float) and gpus > 1:
        resources["gpus"] = 1


def _use_own_seeds(document: dict[str, Any]) -> None:
    """Convert format 1, in which each trial of a grid also had its own seed by default."""
    searcher = document["searcher"]
    if isinstance(searcher, dict):
        searcher.setdefault("seeds", "own")


def _mappings(section: Any) -> dict[int, dict[str, Any]]:
    """Return the well-formed entries by number; the section reports the others as problems."""
    entries = enumerate(section if isinstance(section, list) else [])
    return {
        number: entry
        for number, entry in entries
        if isinstance(entry, dict) and all(isinstance(key, str) for key in entry)
    }


def _unused(done: SpaceOverrides, searched: Sequence[str]) -> list[Problem]:
    return [
        Problem(
            f"train.{path}",
            "it is searched, so this value would not be used. To fix it, remove the "
            f"dimension too: --set search.{path}=null",
        )
        for path in done.train
        if path in searched
    ]


def _searcher_name(section: Any) -> Any:
    return section.get("name") if isinstance(section, Mapping) else None


def _with_each_seed(
    baselines: dict[int, dict[str, Any]], dimensions: Sequence[Dimension]
) -> dict[int, dict[str, Any]]:
    """Return the baselines by number, each repeated with every seed that a grid varies."""
    drawn = [d.distribution for d in dimensions if d.path == "seed"]
    seeds = [seed for d in drawn if isinstance(d, Choice | Grid) for seed in d.values]
    if not seeds:
        return baselines
    each = [
        {**baseline, "seed": seed}
        for baseline in baselines.values()
        for seed in ([baseline["seed"]] if "seed" in baseline else seeds)
    ]
    return dict(enumerate(each))


def _takes_all(document: dict[str, Any], grid: bool) -> bool:
    """Return whether a grid asks for ``all`` trials, whose number is known after parsing."""
    budget = document.get("budget")
    if not grid or not isinstance(budget, dict) or budget.get("trials") != "all":
        return False
    budget["trials"] = 1
    return True


def _incomparable(dimensions: Sequence[Dimension], budget: Budget) -> list[Problem]:
    searched = dict.fromkeys(d.path for d in dimensions if varies_labels(d.path))
    if not searched or budget.scheduler == "none":
        return []
    message = (
        f"found {budget.scheduler}; expected none, as {', '.join(searched)} differs between "
        "trials: scores on different labels cannot be used to stop them"
    )
    return [Problem("budget.scheduler", message)]


def builtin_spaces() -> list[str]:
    """Return the names of the built-in spaces: the YAML files of ``search_spaces``."""
    files = resources.files("search_spaces").iterdir()
    return sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml"))


def space_text(name_or_path: str | Path) -> str:
    """Return the text of the file of a built-in space or of a user's space.

    Raises:
        UserError: there is no such space (the nearest is named), or its file cannot be read.
    """
    name = str(name_or_path)
    if name in builtin_spaces():
        return (resources.files("search_spaces") / f"{name}.yaml").read_text(encoding="utf-8")
    path = Path(name).expanduser()
    if path.is_file():
        return read_text(path)
    hint = "`tune-robust spaces list` shows the built-in ones; a path to a YAML file works too."
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        raise UserError(f"there is no space file {name!r}. {hint}")
    raise UserError(f"{unknown('space', name, builtin_spaces())} {hint}")


def load_space(name_or_path: str | Path, *, overrides: Overrides = ()) -> Space:
    """Load a built-in space by its name, or a user's space by its path.

    Relative paths of files in the space are relative to its own folder (in a built-in space, and in
    ``overrides``, to the working directory); the loaded space has absolute paths.

    Args:
        name_or_path: as in ``saner_digits`` or ``my_space.yaml``.
        overrides: changes as ``path=value``, values in YAML: ``train.epochs=2``,
            ``search.sam.rho={log_uniform: [0.1, 1]}``, ``search.sam.rho=null``; or the same as a
            mapping from paths to values.

    Raises:
        UserError: there is no such space, or its file is not YAML (with the line).
        ConfigError: it is not valid; the message has every problem with its key path.
    """
    text = space_text(name_or_path)
    builtin = str(name_or_path) in builtin_spaces()
    folder = Path.cwd() if builtin else Path(name_or_path).expanduser().absolute().parent
    document, overrides = locate_space(parse_yaml(text, str(name_or_path)), overrides, folder)
    return parse_space(
        document,
        source=str(name_or_path),
        description=leading_comment(text),
        overrides=overrides,
    )


def leading_comment(text: str) -> str:
    """Return the comment at the top of a file, without its comment signs."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").removeprefix(" ").rstrip())
    return "\n".join(lines)
