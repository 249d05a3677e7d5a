"""The schema of each kind of event in a run's event log.

Fields that a kind does not name are kept, since a newer version may have written them; a kind that
is not named here is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from tune_robust.runs.trial import Origin

Number = Annotated[float, Field(ge=-3.5e38, le=3.5e38)]
"""A metric, computed from 32-bit numbers."""
_Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_known = with_config(ConfigDict(extra="allow", strict=True))


@_known
class TrialConfig(TypedDict):
    """The parts of a trial's configuration that the run itself reads."""

    epochs: Annotated[int, Field(ge=1, le=10**6)]
    bootstrap_rounds: NotRequired[Annotated[int, Field(ge=1, le=10**3)]]
    seed: _Seed
    data: NotRequired[dict[str, Any]]


_CONFIG = TypeAdapter(TrialConfig)


def _checked_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration unchanged: a typed dictionary would reorder its keys."""
    _CONFIG.validate_python(config)
    return config


@_known
class ContinuedFields(TypedDict):
    """What a trial continues, as in ``Continued``."""

    trial: str
    epoch: Annotated[int, Field(ge=1)]
    gradient_evaluations: Annotated[float, Field(ge=0)]
    seconds: Annotated[float, Field(ge=0)]


@_known
class TrialEvent(TypedDict):
    """A proposal."""

    event: Literal["trial"]
    trial: str
    origin: Origin
    values: dict[str, Any]
    config: Annotated[dict[str, Any], AfterValidator(_checked_config)]
    sentinel: NotRequired[bool]
    confirms: NotRequired[str | None]
    repeats: NotRequired[str | None]
    continues: NotRequired[ContinuedFields | None]


@_known
class StartEvent(TypedDict):
    """A trial starts, or starts again."""

    event: Literal["start"]
    trial: str


@_known
class EpochEvent(TypedDict):
    """One epoch has ended. ``reliability`` as in ``training.evaluation``."""

    event: Literal["epoch"]
    trial: str
    epoch: Annotated[int, Field(ge=1)]
    metrics: Annotated[dict[str, Number | None], Field(min_length=1)]
    reliability: NotRequired[list[Annotated[list[Number], Field(min_length=3, max_length=3)]]]


@_known
class EndEvent(TypedDict):
    """A trial has ended, or was paused or interrupted. ``epoch``: its last one, 0 before any."""

    event: Literal["end"]
    trial: str
    status: Literal["stopped", "done", "failed", "paused", "interrupted"]
    error: NotRequired[str | None]
    epoch: NotRequired[int]


@_known
class RetryEvent(TypedDict):
    """A trial's epochs are discarded: it will start again from the beginning."""

    event: Literal["retry"]
    trial: str


@_known
class NoteEvent(TypedDict):
    """A remark on the trial for its users."""

    event: Literal["note"]
    trial: str
    text: str


Event = TrialEvent | StartEvent | EpochEvent | EndEvent | RetryEvent | NoteEvent

# Parsing and checking in one pass takes no longer than parsing alone.
EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])
