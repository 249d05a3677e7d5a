"""The answer of a run as plain data: who won, by how much, at what cost, and how sure that is."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from typing import Any, NamedTuple

import pandas as pd

from analysis.figures.cost import saved
from analysis.stored.confirmation import Confirmation, read_confirmation
from analysis.stored.noise import ceiling
from analysis.stored.ranking import baseline, label_sets, ranking, winner
from analysis.stored.run import Run, scored_epochs
from analysis.stored.trial import label, settings
from analysis.surrogate.robust_region import Region, robust_region
from tune_robust.runs.naming import run_argument

_ENDED = ("done", "stopped", "failed")


class Candidate(NamedTuple):
    """A trial to speak of. ``label``: its method; ``test_accuracy`` chose nothing."""

    trial: str
    label: str
    is_baseline: bool
    settings: dict[str, Any]
    score: float
    test_accuracy: float
    noisy_fit: float


class Answer(NamedTuple):
    """What the report opens with.

    ``gain`` and ``test_gain``: the winner over the best baseline, positive when better. ``counts``:
    trials by status. ``waiting``: trials still to end. ``spent`` and ``saved``: gradient
    evaluations used, and spared by stopping. ``stopped_ahead``: trials that stood higher than the
    winner when they were stopped, and so were never ranked. ``error``: the winner's standard error
    from the number of validation images alone, None where that number is not known. ``region``: the
    settings that are as good as the winner's, None where a baseline won or nobody can tell.
    ``confirmation``: what fresh seeds said, None where the run was not confirmed.
    """

    winner: Candidate | None
    baseline: Candidate | None
    basis: str | None
    gain: float
    test_gain: float
    counts: dict[str, int]
    searched_ended: int
    waiting: int
    spent: float
    saved: float
    seconds: float
    stopped_ahead: list[str]
    ceiling: float | None
    error: float | None
    region: Region | None
    confirmation: Confirmation | None
    commands: list[str]


def find_answer(run: Run) -> Answer:
    """Sum the run up."""
    best, reference = _candidate(run, winner(run)), _candidate(run, baseline(run))
    counts = Counter(run.trials["status"])
    searched = run.trials[run.trials["origin"] != "baseline"]
    searched_won = best is not None and not best.is_baseline and label_sets(run) == 1
    region = robust_region(run) if searched_won else None
    confirmation = read_confirmation(run)
    gain = test_gain = math.nan
    if best is not None and reference is not None:
        gain = run.objective.gain(best.score, reference.score)
        test_gain = best.test_accuracy - reference.test_accuracy
    return Answer(
        winner=best,
        baseline=reference,
        basis=ranking(run).basis,
        gain=gain,
        test_gain=test_gain,
        counts=dict(counts),
        searched_ended=int(searched["status"].isin(["done", "stopped"]).sum()),
        waiting=_waiting(run, sum(counts[status] for status in _ENDED)),
        spent=float(run.trials["gradient_evaluations"].sum()),
        saved=saved(run),
        seconds=float(run.trials["seconds"].sum()) if "seconds" in run.trials else math.nan,
        stopped_ahead=_stopped_ahead(run, best),
        ceiling=ceiling(run),
        error=_standard_error(run, best),
        region=region,
        confirmation=confirmation,
        commands=_commands(run, best, region, confirmation),
    )


def _candidate(run: Run, row: pd.Series | None) -> Candidate | None:
    if row is None:
        return None
    scored = scored_epochs(run.epochs[run.epochs["trial"] == row["trial"]], run.objective).iloc[0]
    return Candidate(
        trial=row["trial"],
        label=label(row),
        is_baseline=row["origin"] == "baseline",
        settings=settings(run, row),
        score=float(row["objective"]),
        test_accuracy=float(scored.get("test_accuracy", math.nan)),
        noisy_fit=float(scored.get("noisy_fit", math.nan)),
    )


def _waiting(run: Run, ended: int) -> int:
    """Trials that have started or been proposed and not ended, and those still to be proposed."""
    planned = run.space.get("budget", {}).get("trials") or 0
    if run.space.get("searcher", {}).get("name") == "grid":
        planned = 0  # a grid may hold fewer points than the budget allows
    return max(planned, len(run.trials)) - ended


def _stopped_ahead(run: Run, best: Candidate | None) -> list[str]:
    if best is None:
        return []
    stopped = run.trials[run.trials["status"] == "stopped"]
    ahead = run.objective.gain(stopped["objective"], best.score) > 0
    return stopped.loc[ahead, "trial"].tolist()


def _standard_error(run: Run, best: Candidate | None) -> float | None:
    """Of a share measured on the validation images: sqrt(p (1 - p) / n)."""
    size = (run.meta.get("images") or {}).get("validation")
    if best is None or run.objective.metric != "val_accuracy" or not size:
        return None
    return math.sqrt(best.score * (1 - best.score) / size)


def _commands(
    run: Run, best: Candidate | None, region: Region | None, confirmation: Confirmation | None
) -> list[str]:
    """What to type next: finish the run, or confirm the winner, take it out and train it again."""
    name = run_argument(run.place)
    if best is None:
        return [f"tune-robust status {name}", f"tune-robust resume {name}"]
    config = shlex.quote(str(run.path / "exported" / f"1_{best.trial}.yaml"))
    done = confirmation or "confirms" in run.meta
    commands = [] if done else [f"tune-robust confirm {name}"]
    commands += [f"tune-robust export {name} --top 1", f"tune-robust train --config {config}"]
    return commands + ([f"tune-robust export {name} --winner plateau"] if region else [])
