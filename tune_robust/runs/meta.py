"""The content of run.json: the origin of a run, and what it searches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

FORMAT = 1
_Name = Annotated[str, Field(pattern=r"^t\d{4,}$")]
_Seed = Annotated[int, Field(ge=0, lt=2**63)]


class _Kept(BaseModel):
    """Keeps unknown fields, which a newer version may have written."""

    model_config = ConfigDict(extra="allow", strict=True)


class Confirms(_Kept):
    """The trials that a confirmation retrains, and the seeds."""

    run: str
    trials: list[_Name]
    seeds: list[_Seed]


class Folds(_Kept):
    """The run whose best trials are trained on folds of its images, for an audit."""

    run: str


class StoredSlots(_Kept):
    """How trials shared the machines that ``slots_on`` describes."""

    cpus: Annotated[int, Field(ge=1)]
    gpus: Annotated[float, Field(ge=0)]
    concurrency: Annotated[int, Field(ge=1)]
    processes: Annotated[int, Field(ge=1)] = 1


class StoredCode(_Kept):
    """The source of the user's own parts: text by path in a folder, which it may not leave."""

    hash: str
    folder: str
    files: dict[Annotated[str, Field(pattern=r"^\w+(/\w+)*\.py$")], str]
    packages: dict[str, str]


class StoredBudget(_Kept):
    """What is read of ``space.budget`` without loading the space."""

    trials: int | Literal["all"] | None = None


class StoredSpace(_Kept):
    """What is read of ``space`` without loading it; the rest is validated when it is loaded."""

    format: int = 1
    baselines: list[Any] | None = None
    budget: StoredBudget | None = None
    searcher: dict[str, Any] = Field(default_factory=dict)


class RunMeta(_Kept):
    """The document."""

    format: int
    name: str
    id: str | None = None
    owner: str | None = None
    created: str | None = None
    space: StoredSpace
    confirms: Confirms | None = None
    folds: Folds | None = None
    warm_start: dict[str, Any] | None = None
    images: dict[str, int] | None = None
    wrong_labels: dict[str, float | None] | None = None
    slots: StoredSlots | None = None
    slots_on: dict[str, Any] | None = None
    dashboard: str | None = None
    seconds_used: float | None = None
    out_of_time: bool | None = None
    versions: dict[str, str] | None = None
    git_commit: str | None = None
    hardware: dict[str, Any] | None = None
    command: list[str] | None = None
    code: StoredCode | None = None

    @field_validator("format")
    @classmethod
    def _is_known(cls, found: int) -> int:
        if found != FORMAT:
            raise ValueError(
                f"found {found}; this version of tune-robust reads {FORMAT}. Install the version "
                "that wrote it, or a newer one"
            )
        return found


def retrained_run(meta: Mapping[str, Any]) -> str | None:
    """Return the name of the run whose trials a run retrains, inside its folder; None for a search.

    Such a run is a confirmation, or the folds of an audit.
    """
    found = meta.get("confirms") or meta.get("folds")
    return None if found is None else found["run"]
