"""The sections of a space's file, except ``search``."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from tune_robust.config import Part, TrainConfig
from tune_robust.metrics import DIAGNOSTIC, OBJECTIVES

Above0 = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Budget(Part):
    """The number of trials and their compute.

    ``trials`` is the number of trials, including known points but not baselines. ``all`` runs every
    point of a grid. ``max`` is the compute of a complete trial, in ``unit``; the default and
    maximum is the compute of ``train.epochs`` of the most expensive method, with all its bootstrap
    rounds. A gradient evaluation is a forward and backward pass over the training set: SGD takes 1
    per epoch, and SAM 2. ``unit: seconds`` counts the time of each trial's own training and
    evaluation, whatever else the machine does; it requires ``max``. Epochs and schedules are then
    the same as for gradient evaluations, and a trial ends when it has used ``max`` seconds.
    ``rounds: each`` gives every bootstrap round the compute of a complete trial, as in published
    tables; by default the rounds share it, so that self-training costs no more than other methods.
    ``scheduler: asha`` stops weak trials at the rungs ``grace * reduction^i``. ``median`` stops
    trials below the median of at least five others at any epoch from ``grace`` on. ``promotion``
    pauses trials at the rungs of asha instead, and continues a paused one from its checkpoint once
    it is among the best half at its rung. ``pb2`` (population-based bandits) trains ``trials``
    networks side by side and pauses all of them after every ``interval`` of compute, by default an
    eighth of ``max`` and at least one epoch. The worst quarter then end, and as many new trials
    continue networks of the best quarter, with other values of those of ``sam.rho``,
    ``saner.alpha`` and ``optimizer.lr`` that are searched. ``none`` stops nothing. ``auto`` is
    ``promotion`` with the searchers gp_mf, qmc and random; ``asha`` with the other ones, and with a
    loop of the user's own, which may not save checkpoints; and ``none`` with several objectives, or
    with labels that differ between trials, whose scores at a rung cannot be compared. ``grace``
    defaults to ``max / reduction``. ``sentinels`` is the number of sampled trials that are never
    stopped, to measure what early stopping would have lost. ``hours`` limits the time of the search
    as a whole, over all the times it is resumed: a trial that is not expected to finish in time is
    not started or continued, and the search ends when the running ones have ended. ``gpu_hours``
    limits in the same way the time during which trials hold a GPU, summed over the trials and
    weighted by the fraction of the GPU that each holds. ``stop: auto`` ends the search before its
    last trial once the trials that are left are expected to gain less than a tenth of the noise of
    the objective; ``never`` runs all trials. ``repeats: auto`` spends a trial on a repeat of a
    leading setting, with another seed, where that is expected to improve the final choice more than
    a new setting would; a setting's score is then the mean over its seeds. Repeats count as trials,
    and are never stopped early.
    """

    trials: Count
    unit: Literal["gradient_evaluations", "epochs", "seconds"] = "gradient_evaluations"
    max: Above0 | None = None
    hours: Above0 | None = None
    gpu_hours: Above0 | None = None
    stop: Literal["never", "auto"] = "never"
    rounds: Literal["together", "each"] = "together"
    scheduler: Literal["auto", "asha", "promotion", "median", "pb2", "none"] = "auto"
    grace: Above0 | None = None
    interval: Above0 | None = None
    reduction: Annotated[int, Field(ge=2)] = 3
    sentinels: Annotated[int, Field(ge=0)] = 0
    repeats: Literal["auto", "off"] = "off"

    @property
    def pauses(self) -> bool:
        """Whether the scheduler pauses trials, which keep their checkpoints meanwhile."""
        return self.scheduler in ("promotion", "pb2")

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
    """The sampler that proposes the trials.

    The default is ``tpe`` with a loop of the user's own, and ``qmc`` with ``scheduler: pb2``, which
    needs the first settings of all its trials before there are any results.

    ``gp_mf`` (multi-fidelity Gaussian process) learns from finished, running, paused and stopped
    trials, and supports every space. ``tpe`` also supports every space, and learns from ended
    trials. ``gp`` (Gaussian process) learns from finished trials only. ``cmaes`` is for many trials
    over ranges. ``qmc`` (scrambled Sobol) covers the space evenly, ``random`` samples it at random,
    and ``grid`` runs each point once. ``nsga2`` searches the Pareto front of several objectives.
    gp, cmaes and nsga2 do not support conditional dimensions. ``startup`` is the number of trials
    that must have ended before tpe and gp use their models; earlier trials are drawn at random.
    gp_mf ignores it: its first trials are at least four and have each value of each unconditional
    choice once, but are at most twenty. ``startup`` is also the size of nsga2's generations.
    ``seeds: own`` trains each trial with its own seed, counted up from ``train.seed``; ``shared``
    trains all with ``train.seed``, so that they differ only in their settings (common random
    numbers), and the first repeats of settings share the next one. The default is ``shared`` for a
    grid and ``own`` for a search. A grid over ``search.seed`` trains every cell once with each of
    those seeds.
    """

    name: Literal["tpe", "gp", "gp_mf", "cmaes", "qmc", "random", "grid", "nsga2"] = "gp_mf"
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
    """The objective of the search: a metric at the last epoch, or at its best epoch.

    It is what the sampler and the scheduler are told and what winners are chosen by. Without
    ``metric``, it is ``val_information`` if any trial's validation labels are noisy, and otherwise
    ``val_accuracy`` (see docs/selection.md); with a loop of one's own it is ``val_accuracy``.
    ``against`` lists further objectives for nsga2, such as the gradient evaluations; each is taken
    at the last epoch and in its natural direction.
    """

    metric: str = "val_accuracy"
    mode: Literal["max", "min"]
    at: Literal["last", "best"] = "last"
    against: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _default_mode(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        given = {key: value for key, value in given.items() if value is not None}
        metric = str(given.get("metric", "val_accuracy"))
        return {"mode": OBJECTIVES.get(metric, "max"), **given}

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
            raise ValueError(f"{twice} is given twice: the objectives must differ")
        if self.against and self.at == "best":
            raise ValueError(
                "found at: best with against; expected at: last, as the best epoch of one metric "
                "is not that of another"
            )
        return self


def _checked(metric: str) -> str:
    """Raise ValueError if a search must not select by ``metric``."""
    if metric in DIAGNOSTIC:
        raise ValueError(
            f"{metric} needs the true labels or the test set, so it must not be used for "
            "selection. Choose val_accuracy; with train.data.validation.labels: clean it is "
            "measured against true labels"
        )
    return metric


class Resources(Part):
    """The resources of a trial, and how many run at once (by default as many as fit).

    ``gpus`` is the fraction of one GPU for a trial, 1 for a complete one; ``auto`` measures which
    fraction gives the highest throughput. A whole number above 1 trains each trial on so many GPUs
    of one machine, with one process for each. Without a GPU, trials always run on the CPU.
    ``processes`` trains each trial in so many processes on the CPU. ``cpus`` are those of each
    process.
    """

    cpus: Count = 1
    gpus: Annotated[float, Field(ge=0)] | Literal["auto"] = 0.0
    processes: Count | None = None
    concurrency: Count | None = None

    @field_validator("gpus")
    @classmethod
    def _whole_above_1(cls, gpus: float | str) -> float | str:
        if isinstance(gpus, float) and gpus > 1 and not gpus.is_integer():
            raise ValueError(
                f"found {gpus:g}; a trial has a fraction of one GPU or several complete ones: "
                f"expected 0 to 1, such as 0.25, a whole number, such as {int(gpus) + 1}, or auto"
            )
        return gpus

    @model_validator(mode="after")
    def _a_gpu_for_each_process(self) -> Self:
        if self.processes in (None, 1) or self.gpus in (0, self.processes):
            return self
        raise ValueError(
            f"processes: found {self.processes}, with gpus: {self.gpus}; each process has a GPU of "
            f"its own: set gpus: {self.processes}, or gpus: 0 to train on the CPU"
        )


FORMAT = 2
"""The format of a space's document. In format 1, ``budget.trials`` includes the baselines."""


def _is_unique(moments: tuple[float | str, ...]) -> tuple[float | str, ...]:
    twice = next((moment for moment in moments if moments.count(moment) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} is given twice")
    return moments


Moment = Annotated[float, Field(gt=0, le=1, strict=True)] | Literal["last", "best"]
"""A fraction of a trial's epochs, its newest epoch, or its best one by the objective."""


class Record(Part):
    """What each trial stores in addition to its metrics.

    ``predictions``: the moments at which the predicted probabilities on the validation images are
    kept, as 16-bit floats. A number is a fraction of the trial's epochs, above 0 and up to 1, the
    last epoch (the default); ``last`` is the newest epoch, also of a trial that was stopped early;
    ``best`` is the best epoch by the objective. An empty list keeps none. Predictions on the test
    images are never kept.
    """

    predictions: Annotated[tuple[Moment, ...], AfterValidator(_is_unique)] = (1.0,)


class Document(Part):
    """The sections of a space's file; ``search`` is parsed separately."""

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
