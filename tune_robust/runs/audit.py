"""The stored result of an audit of a run's labels: ``audit/audit.json`` in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tune_robust.runs.documents import read_document, write_document

FOLDER = "audit"
SHOWN = 200
"""How many of the most suspicious images have a picture."""

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Suspect(BaseModel):
    """An image whose label is probably wrong.

    ``index``: its position in the training images of the data set; ``file``: its name, if it has
    one. ``given`` and ``likely``: names of classes. ``wrong``: the probability that the given label
    is wrong. ``png``: its picture in base64; None if it is no image.
    """

    model_config = ConfigDict(frozen=True)

    index: Count
    file: str | None
    part: Literal["train", "validation"]
    given: str
    likely: str
    wrong: Fraction
    png: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/=]*$")] | None


class Truth(BaseModel):
    """How good the audit is where the true labels are known: not used by it."""

    model_config = ConfigDict(frozen=True)

    rate: Fraction
    average_precision: Fraction | None


class AuditSummary(BaseModel):
    """An audit: what was looked at, the estimated wrong labels, and the most suspicious images.

    ``trials``: those whose predictions were used; ``folds``: the number of networks trained for
    this, 0 if the predictions of the search were used; ``confirmed``: the number of networks of its
    confirmation whose predictions were used too. ``rate``, ``low`` and ``high``: the
    estimated fraction of wrong labels and its 95 % interval. ``transition``: the probability of
    each given label (columns) by true class (rows).
    """

    model_config = ConfigDict(frozen=True)

    run: str
    trials: tuple[str, ...]
    folds: Count
    confirmed: Count = 0
    images: Count
    classes: tuple[str, ...]
    rate: Fraction
    low: Fraction
    high: Fraction
    transition: tuple[tuple[Fraction, ...], ...]
    truth: Truth | None
    suspects: tuple[Suspect, ...]

    def sentence(self) -> str:
        """Return a sentence with the estimated fraction of wrong labels."""
        text = (
            f"About {self.rate:.1%} of {self.images:,} labels are wrong (95 % interval "
            f"{self.low:.1%} to {self.high:.1%})"
        )
        if self.truth is not None:
            text += f"; by the true labels, {self.truth.rate:.1%}"
        return f"{text}."


def write_audit(folder: Path, summary: AuditSummary) -> Path:
    """Write the summary into the folder of an audit, and return the path of the file."""
    path = folder / "audit.json"
    write_document(path, summary.model_dump(mode="json"))
    return path


def read_audit(run: Path) -> AuditSummary | None:
    """Return the stored audit of the run at the path ``run``; None if there is none.

    Raises:
        UserError: it is damaged.
    """
    path = run / FOLDER / "audit.json"
    if not path.is_file():
        return None
    remedy = f"`tune-robust audit {run}` writes a new one."
    return AuditSummary.model_validate(read_document(path, AuditSummary, remedy))
