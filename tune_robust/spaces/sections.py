"""The sections of a space's file, beside ``search``."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from tune_robust.config import Part, TrainConfig
from tune_robust.metrics import DIAGNOSTIC, OBJECTIVES

Above0 = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Budget(Part):
    """How many trials, and how long each may run.

    ``trials``: how many, known points included; baselines run beside them. ``all``, for a grid, is
    as many as it holds. ``max``: the longest run, in ``unit``; by default, and at most, what
    ``train.epochs`` of the costliest method cost, all its bootstrap rounds included. A gradient
    evaluation is a forward and backward pass over the training set: SGD takes 1 an epoch, SAM 2.
    ``unit: seconds`` counts the time that each trial itself has trained and evaluated, whatever
    else the machine was doing: ``max`` is required. Epochs and schedules are laid out as for
    gradient evaluations; a trial that is not through by ``max`` seconds is over then.
    ``rounds: each`` gives every bootstrap round of a trial all of that, as published tables do; by
    default the rounds share it, so that self-training costs no more than the rest.
    ``scheduler: asha`` stops weak trials at rungs ``grace * reduction^i``, ``median`` those that
    fall behind the median of at least five others at any epoch from ``grace`` on; ``grace``
    defaults to ``max / reduction``. ``sentinels``: how many of the sampled trials are never
    stopped, to show what early stopping would have lost.
    """

    trials: Count
    unit: Literal["gradient_evaluations", "epochs", "seconds"] = "gradient_evaluations"
    max: Above0 | None = None
    rounds: Literal["together", "each"] = "together"
    scheduler: Literal["asha", "median", "none"] = "asha"
    grace: Above0 | None = None
    reduction: Annotated[int, Field(ge=2)] = 3
    sentinels: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _grace_fits(self) -> Self:
        if self.grace is not None and self.max is not None and self.grace > self.max:
            raise ValueError(f"grace {self.grace:g} is above max {self.max:g}")
        return self

    @model_validator(mode="after")
    def _seconds_are_bounded(self) -> Self:
        if self.unit != "seconds":
            return self
        if self.max is None:
            raise ValueError(
                "unit: seconds needs max, the seconds that one trial may take, as in max: 600 "
                "(--set budget.max=600)"
            )
        if self.rounds == "each":
            raise ValueError(
                "found rounds: each; expected together, as unit is seconds: the clock runs on "
                "through the bootstrap rounds"
            )
        return self


class Searcher(Part):
    """What proposes the trials.

    ``tpe`` takes every space. ``gp`` (Gaussian process) learns more from few trials, but from
    finished ones alone; ``cmaes`` is for many trials over ranges. ``qmc`` (scrambled Sobol) covers
    the space evenly, ``random`` at random, ``grid`` runs each point once. ``nsga2`` looks for the
    Pareto front of several objectives. gp, cmaes and nsga2 take no conditional dimensions.
    ``startup``: trials that must have ended before tpe and gp model what they saw; those before are
    drawn at random. It is also the size of nsga2's generations.
    ``seeds``: ``own`` trains each trial with a seed of its own, counted up from ``train.seed``;
    ``shared`` trains all with ``train.seed``, so that they differ by their settings alone (common
    random numbers). The default is ``shared`` for a grid and ``own`` for a search. A grid over
    ``search.seed`` trains every cell once with each of those seeds.
    """

    name: Literal["tpe", "gp", "cmaes", "qmc", "random", "grid", "nsga2"] = "tpe"
    seed: Annotated[int, Field(ge=0)] = 0
    startup: Count = 10
    seeds: Literal["own", "shared"] = "own"

    @model_validator(mode="before")
    @classmethod
    def _cells_of_a_grid_share_the_seed(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("seeds") is None:
            return {**given, "seeds": "shared" if given.get("name") == "grid" else "own"}
        return given


class Objective(Part):
    """What the search optimises: the metric at the last epoch, or at its own best epoch.

    ``against``: what nsga2 weighs it against, such as the gradient evaluations that it took; each
    at the last epoch, and in its natural direction.
    """

    metric: str = "val_accuracy"
    mode: Literal["max", "min"]
    at: Literal["last", "best"] = "last"
    against: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _default_mode(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("mode") is None:
            metric = str(given.get("metric", "val_accuracy"))
            return {**given, "mode": OBJECTIVES.get(metric, "max")}
        return given

    @field_validator("metric")
    @classmethod
    def _may_choose(cls, metric: str) -> str:
        return _checked(metric)

    @field_validator("against")
    @classmethod
    def _may_be_weighed(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_checked, metrics))

    @model_validator(mode="after")
    def _all_differ(self) -> Self:
        metrics = (self.metric, *self.against)
        twice = next((metric for metric in metrics if metrics.count(metric) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} is given twice: a metric is not weighed against itself")
        if self.against and self.at == "best":
            raise ValueError(
                "found at: best with against; expected at: last, as the best epoch of one metric "
                "is not that of another"
            )
        return self


def _checked(metric: str) -> str:
    """Raises ValueError if a search must not choose by ``metric``."""
    if metric in DIAGNOSTIC:
        raise ValueError(
            f"{metric} needs the true labels or the test set, and so must not choose the winner. "
            "Choose val_accuracy; with train.data.validation.labels: clean it is measured against "
            "true labels"
        )
    return metric


class Resources(Part):
    """What one trial takes, and how many run at once (by default as many as fit).

    ``gpus``: the fraction of one GPU that a trial has, 1 for a whole one; ``auto`` measures which
    fraction makes the most of it. Without a GPU, trials run on the CPU whatever it says.
    """

    cpus: Count = 1
    gpus: Annotated[float, Field(ge=0)] | Literal["auto"] = 0.0
    concurrency: Count | None = None

    @field_validator("gpus")
    @classmethod
    def _of_one_gpu(cls, gpus: float | str) -> float | str:
        if isinstance(gpus, float) and gpus > 1:
            raise ValueError(
                f"found {gpus:g}; a trial trains on one GPU, and the others reserved for it would "
                "stay idle: expected 0 to 1, such as 1 or 0.25, or auto"
            )
        return gpus


FORMAT = 2
"""Of a space's document. In format 1, ``budget.trials`` counts the baselines too."""


def _is_unique(moments: tuple[float | str, ...]) -> tuple[float | str, ...]:
    twice = next((moment for moment in moments if moments.count(moment) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} is given twice")
    return moments


Moment = Annotated[float, Field(gt=0, le=1, strict=True)] | Literal["last", "best"]
"""A fraction of a trial's epochs, its newest epoch, or its best one by the objective."""


class Record(Part):
    """What each trial keeps beside its metrics.

    ``predictions``: the moments at which the predicted probabilities on the validation images are
    kept, as 16-bit floats. A number is a fraction of the trial's epochs, above 0 and up to 1, the
    last epoch; ``last`` is the newest epoch, also of a trial that was stopped early; ``best`` is
    the best epoch by the objective. By default none are kept. Predictions on the test images are
    never kept.
    """

    predictions: Annotated[tuple[Moment, ...], AfterValidator(_is_unique)] = ()


class Document(Part):
    """The sections of a space's file; ``search`` has a reader of its own."""

    format: Annotated[int, Field(ge=1, le=FORMAT)] = FORMAT
    name: str
    description: str = ""
    train: TrainConfig
    search: Any = None
    known: list[dict[str, Any]] = Field(default_factory=list)
    baselines: list[dict[str, Any]] = Field(default_factory=list)
    budget: Budget
    searcher: Searcher = Searcher()
    objective: Objective = Objective(mode="max")
    resources: Resources = Resources()
    record: Record = Record()

    @field_validator("name")
    @classmethod
    def _is_plain(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
            raise ValueError(f"found {name!r}; expected letters, digits, '_', '-' and '.'")
        return name
