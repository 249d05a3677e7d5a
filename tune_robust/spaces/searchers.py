"""Checks whether a searcher supports a space and a scheduler, and chooses a scheduler for it.

A sampler that cannot model a dimension would silently draw it at random. Such a space is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tune_robust.errors import Problem
from tune_robust.spaces.dimensions import Dimension, varies_labels
from tune_robust.spaces.distributions import Choice, Grid
from tune_robust.spaces.sections import Budget, Document, Objective, Resources, Searcher

_UNCONDITIONAL = ("gp", "cmaes", "nsga2")
_RANGES_ALONE = ("cmaes",)
FROM_ENDED = ("tpe", "gp", "cmaes")
"""The searchers that learn from trials that have ended, and cannot be used with promotion."""

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
    checkpoints; it would train a promoted trial from the beginning.
    """
    budget = sections.budget
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
