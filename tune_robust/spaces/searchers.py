"""Checks whether a searcher supports a space and a scheduler, and chooses a scheduler for it.

A sampler that cannot model a dimension would silently draw it at random. Such a space is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tune_robust.config import CHANGEABLE
from tune_robust.errors import Problem
from tune_robust.spaces.dimensions import Dimension, varies_labels
from tune_robust.spaces.distributions import Choice, Grid, LogUniform, Uniform
from tune_robust.spaces.sections import Budget, Document, Objective, Resources, Searcher

_UNCONDITIONAL = ("gp", "cmaes", "nsga2")
_RANGES_ALONE = ("cmaes",)
FROM_ENDED = ("tpe", "gp", "cmaes")
"""The searchers that learn from trials that have ended, and cannot be used with promotion."""

WITHOUT_RESULTS = ("qmc", "random")
"""The searchers that need no results of earlier trials, the default with pb2 first."""

_PROMOTED = ("gp_mf", "qmc", "random")
DEFAULT = Searcher().name
_NOT_AUTO = {
    "stop": {
        "grid": "never, as the searcher is grid, which runs each point once",
        "objectives": "never, as the gain of several objectives is not predicted",
    },
    "repeats": {
        "grid": "off, as a grid trains every point. To train each with several seeds, search the "
        "seed: --set 'search.seed={grid: [1, 2, 3]}'",
        "objectives": "off, as there are several objectives, and no single leader to repeat",
    },
}
"""What to choose in place of ``auto`` with a grid and with several objectives, and why."""


def searcher_problems(name: object, dimensions: Sequence[Dimension]) -> list[Problem]:
    """Return why the searcher ``name`` cannot search ``dimensions``, if so."""
    if name == "grid":
        return _unlisted(dimensions)
    problems = []
    conditional = [d.name for d in dimensions if d.when]
    if conditional and name in _UNCONDITIONAL:
        message = (
            f"found {name}, which does not support conditions and would draw "
            f"{_listed(conditional)} at random. Choose tpe, gp_mf, qmc, random or grid, "
            "or search these without `when`"
        )
        problems.append(Problem("searcher.name", message))
    unordered = [d.name for d in dimensions if isinstance(d.distribution, (Choice, Grid))]
    if unordered and name in _RANGES_ALONE:
        message = (
            f"found {name}, which supports only ranges and would draw "
            f"{_listed(unordered)} at random. Choose tpe, gp, gp_mf, qmc, random or grid, "
            "or give these a range"
        )
        problems.append(Problem("searcher.name", message))
    return problems


def objectives_problems(name: object, objective: Objective, budget: Budget) -> list[Problem]:
    """Return why the searcher ``name`` cannot be used with these objectives, if so."""
    against = ", ".join(objective.against)
    if name != "nsga2":
        message = (
            f"found [{against}]; expected nothing, as {name or DEFAULT} has one objective. "
            "Leave it out, or choose searcher.name: nsga2"
        )
        return [Problem("objective.against", message)] if against else []
    problems = []
    if not against:
        message = (
            "nsga2 needs what to weigh the objective against, as in against: "
            "[gradient_evaluations]. With one objective, choose gp_mf"
        )
        problems.append(Problem("objective.against", message))
    if budget.scheduler != "none":
        message = (
            f"found {budget.scheduler}; expected none, as the searcher is nsga2: a trial that is "
            "weak in one objective may lead in another, and one stopped early has no final values"
        )
        problems.append(Problem("budget.scheduler", message))
    return problems


def with_scheduler(sections: Document, dimensions: Sequence[Dimension]) -> Document:
    """Return the sections with the scheduler for which ``auto`` stands.

    With several objectives, and where labels differ between trials, scores at a rung cannot be
    compared: nothing is stopped, and there are no sentinels. A loop of the user's own may not save
    checkpoints; it would train a promoted trial from the beginning. For pb2, also choose a searcher
    that needs no results, if there is none.
    """
    budget = sections.budget
    if budget.scheduler == "pb2" and "name" not in sections.searcher.model_fields_set:
        first = sections.searcher.model_copy(update={"name": WITHOUT_RESULTS[0]})
        return sections.model_copy(update={"searcher": first})
    if budget.scheduler != "auto":
        return sections
    if sections.objective.against or any(varies_labels(d.path) for d in dimensions):
        chosen: dict[str, object] = {"scheduler": "none", "sentinels": 0}
    elif sections.searcher.name in _PROMOTED and sections.train.loop is None:
        chosen = {"scheduler": "promotion"}
    else:
        chosen = {"scheduler": "asha"}
    return sections.model_copy(update={"budget": budget.model_copy(update=chosen)})


def device_problems(budget: Budget, resources: Resources) -> list[Problem]:
    """Return why the time on GPUs cannot be limited, if so."""
    if budget.gpu_hours is None or resources.gpus:
        return []
    message = (
        f"found {budget.gpu_hours:g}; expected nothing, as the trials run on the CPU "
        "(resources.gpus: 0). Choose budget.hours, or give each trial a GPU with resources.gpus: 1"
    )
    return [Problem("budget.gpu_hours", message)]


def promotion_problems(name: object, budget: Budget) -> list[Problem]:
    """Return why the searcher ``name`` cannot be used with the scheduler promotion, if so."""
    if budget.scheduler != "promotion" or name not in FROM_ENDED:
        return []
    message = (
        f"found promotion; expected auto, asha, median or none, as {name} learns from trials that "
        "have ended: a paused one does not end until the search does. Or choose searcher.name: "
        "gp_mf"
    )
    return [Problem("budget.scheduler", message)]


def is_changeable(dimension: Dimension) -> bool:
    """Return whether a dimension is a range of values that may change while training."""
    ranges = isinstance(dimension.distribution, Uniform | LogUniform)
    return ranges and dimension.path in CHANGEABLE


def population_problems(sections: Document, dimensions: Sequence[Dimension]) -> list[Problem]:
    """Return why the scheduler pb2 cannot be used with the other sections, if so."""
    budget, searcher = sections.budget, sections.searcher.name
    if budget.scheduler != "pb2":
        message = f"found {budget.interval}; expected nothing: only the scheduler pb2 has intervals"
        return [] if budget.interval is None else [Problem("budget.interval", message)]
    found = {f"budget.{name}": message for name, message in _idle_with_population(budget)}
    if sections.train.loop is not None:
        found["budget.scheduler"] = (
            "found pb2; expected auto, asha, median or none, as train.loop trains the trials: a "
            "loop of one's own cannot be told to change settings while it trains"
        )
    elif not any(map(is_changeable, dimensions)):
        found["budget.scheduler"] = (
            "found pb2, which changes settings while training, and none of those that can change "
            f"is searched over a range: add one of {', '.join(CHANGEABLE)} to search, as in "
            "sam.rho: {log_uniform: [0.01, 1.0]}, or choose another scheduler"
        )
    if searcher not in (*WITHOUT_RESULTS, "nsga2"):
        found["searcher.name"] = (
            f"found {searcher}; expected {' or '.join(WITHOUT_RESULTS)}, as the scheduler is pb2: "
            "all its trials begin before there is a result to learn from. Leave it out for qmc"
        )
    if any(d.path == "sam.rho" and 0.0 in d.distribution.ends() for d in dimensions):
        found["search.sam.rho"] = (
            "it includes 0, with which a step takes one pass instead of two. With pb2, which "
            "changes rho in training, the compute would not be equal: begin the range above 0"
        )
    if sections.train.knots or any(d.path.startswith("knots") for d in dimensions):
        found["train.knots"] = "the scheduler pb2 finds them: leave them out"
    return [Problem(path, message) for path, message in found.items()]


def _idle_with_population(budget: Budget) -> Iterator[tuple[str, str]]:
    """Yield the settings of the budget that a population has no use for, and why."""
    if budget.unit == "seconds":
        yield (
            "unit",
            "found seconds; expected gradient_evaluations or epochs, as the scheduler is pb2, with "
            "which trials change their settings at the end of an epoch",
        )
    if budget.trials < 2:
        yield "trials", "found 1; expected at least 2, as pb2 compares the trials of a population"
    because = "as the scheduler is pb2, whose trials all train side by side"
    for name, off in (("stop", "never"), ("repeats", "off"), ("sentinels", 0)):
        if (value := getattr(budget, name)) != off:
            yield name, f"found {value}; expected {off}, {because}"
    for name in ("hours", "gpu_hours"):
        if (limit := getattr(budget, name)) is not None:
            yield (
                name,
                f"found {limit:g}; expected nothing, {because}: none has finished before the end. "
                "Lower budget.trials or train.epochs instead",
            )


def auto_problems(name: object, objective: Objective, budget: Budget) -> list[Problem]:
    """Return which settings of the budget cannot be ``auto`` with these objectives, and why."""
    if name == "grid":
        case = "grid"
    elif objective.against:
        case = "objectives"
    else:
        return []
    return [
        Problem(f"budget.{setting}", f"found auto; expected {reasons[case]}")
        for setting, reasons in _NOT_AUTO.items()
        if getattr(budget, setting) == "auto"
    ]


def _unlisted(dimensions: Sequence[Dimension]) -> list[Problem]:
    return [
        Problem(
            f"search.{d.name}",
            f"found {d.distribution}; expected grid or choice, as the searcher is grid",
        )
        for d in dimensions
        if not isinstance(d.distribution, (Choice, Grid))
    ]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
