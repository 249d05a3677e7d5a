"""The summary of a run as plain data: the winner, its lead, its cost and the uncertainty."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, NamedTuple

import pandas as pd

from analysis.figures.cost import saved
from analysis.stored.confirmation import Confirmation, read_confirmation
from analysis.stored.lineage import own
from analysis.stored.noise import ceiling, limits
from analysis.stored.ranking import baseline, label_sets, ranking, winner
from analysis.stored.replicates import averaged, has_repeats, replicates
from analysis.stored.run import Run, scored_epochs
from analysis.stored.trial import label, settings
from analysis.surrogate.robust_region import Region, robust_region
from tune_robust.metrics import metric
from tune_robust.statistics import gain

ENDS = {"done": "finished", "stopped": "stopped early", "failed": "failed"}
"""The statuses of ended trials, each with a description."""

_WITHIN_NOISE = 2  # standard errors


class Candidate(NamedTuple):
    """A trial in the summary.

    ``label``: its method. ``test_accuracy``: not used for selection. For a setting repeated with
    several ``seeds``, all scores are means over them, and ``sd`` is the standard deviation of
    ``score``, None for one seed.
    """

    trial: str
    label: str
    is_baseline: bool
    settings: dict[str, Any]
    score: float
    test_accuracy: float
    noisy_fit: float
    seeds: int = 1
    sd: float | None = None


class Summary(NamedTuple):
    """The summary at the top of the report.

    ``gain`` and ``test_gain``: the winner over the best baseline, positive if better. ``level``:
    other finished trials whose score differs from the winner's by no more than two standard errors;
    with at least two seeds, each with its own split, those whose paired difference has a 95 %
    interval that contains 0. ``error``: the winner's standard error from the number of validation
    images alone, None if it is unknown or several splits show the variation. ``settings``: the
    number of trials, with the seeds of a setting counted once. ``counts``: trials by status.
    ``waiting``: trials that have not ended. ``spent`` and ``saved``: gradient evaluations used, and
    saved by early stopping. ``stopped_ahead``: trials that scored higher than the winner when they
    were stopped, and so were not ranked. ``region``: the settings that are as good as the winner's,
    None if a baseline won or the trials are too few. ``confirmation``: the scores on fresh seeds,
    None if the run was not confirmed; ``confirmed``: the trial that leads there, None if it is not
    part of this run.
    """

    winner: Candidate | None
    baseline: Candidate | None
    basis: str | None
    gain: float
    test_gain: float
    level: tuple[str, ...]
    error: float | None
    settings: int
    counts: dict[str, int]
    searched_ended: int
    waiting: int
    spent: float
    saved: float
    seconds: float
    stopped_ahead: list[str]
    ceiling: float | None
    region: Region | None
    confirmation: Confirmation | None
    confirmed: Candidate | None


def summarise(run: Run) -> Summary:
    """Summarise the run."""
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
    return Summary(
        winner=best,
        baseline=reference,
        basis=ranking(run).basis,
        gain=gain,
        test_gain=test_gain,
        level=_level(run, best),
        error=_standard_error(run, best),
        settings=len(averaged(run).trials),
        counts=dict(counts),
        searched_ended=int(searched["status"].isin(["done", "stopped"]).sum()),
        waiting=_waiting(run, sum(counts[status] for status in ENDS)),
        spent=float(own(run, "gradient_evaluations").sum()),
        saved=saved(run),
        seconds=float(own(run, "seconds").sum()) if "seconds" in run.trials else math.nan,
        stopped_ahead=_stopped_ahead(run, best),
        ceiling=ceiling(run),
        region=region,
        confirmation=confirmation,
        confirmed=_of_confirmation(run, confirmation),
    )


def _candidate(run: Run, row: pd.Series | None) -> Candidate | None:
    if row is None:
        return None
    epochs = averaged(run).epochs
    scored = scored_epochs(epochs[epochs["trial"] == row["trial"]], run.objective).iloc[0]
    sd = float(row.get("objective_sd", math.nan))
    return Candidate(
        trial=row["trial"],
        label=label(row),
        is_baseline=row["origin"] == "baseline",
        settings=settings(averaged(run), row),
        score=float(row["objective"]),
        test_accuracy=float(scored.get("test_accuracy", math.nan)),
        noisy_fit=float(scored.get("noisy_fit", math.nan)),
        seeds=int(row.get("seeds", 1)),
        sd=None if math.isnan(sd) else sd,
    )


def _waiting(run: Run, ended: int) -> int:
    """Return how many trials are still to be proposed, or have been proposed and not ended."""
    planned = (run.space.get("budget") or {}).get("trials") or 0
    if run.space.get("searcher", {}).get("name") == "grid":
        planned = 0  # a grid may hold fewer points than the budget allows
    elif run.space.get("format", 1) > 1:  # in format 1 the budget's trials include the baselines
        planned += len(run.space.get("baselines") or [])
    return max(planned, len(run.trials)) - ended


def _stopped_ahead(run: Run, best: Candidate | None) -> list[str]:
    if best is None:
        return []
    stopped = run.trials[run.trials["status"] == "stopped"]
    ahead = run.objective.gain(stopped["objective"], best.score) > 0
    return stopped.loc[ahead, "trial"].tolist()


def _standard_error(run: Run, best: Candidate | None) -> float | None:
    """Return the standard error of the winner's score, due to the number of validation images."""
    if best is None or _has_several_splits(run, best):
        return None
    stored = f"{run.objective.metric}_error"
    if stored in run.epochs:
        epochs = run.epochs[run.epochs["trial"] == best.trial]
        error = scored_epochs(epochs, run.objective)[stored].iloc[0]
        return None if math.isnan(error) else float(error)
    possible = limits(run, run.objective.metric)
    return float(possible.error(best.score)) if possible.images else None


def _level(run: Run, best: Candidate | None) -> tuple[str, ...]:
    if best is not None and _has_several_splits(run, best):
        return _level_over_seeds(run, best)
    error = _standard_error(run, best)
    if best is None or not error:
        return ()
    table = ranking(run).table.dropna(subset=["objective"])
    behind = run.objective.gain(best.score, table["objective"])
    level = table.loc[behind <= _WITHIN_NOISE * error, "trial"]
    return tuple(trial for trial in level if trial != best.trial)


def _has_several_splits(run: Run, best: Candidate) -> bool:
    """Return whether the seeds of a setting have splits of their own; those of repeats do not."""
    return best.seeds > 1 and not has_repeats(run)


def _level_over_seeds(run: Run, best: Candidate) -> tuple[str, ...]:
    """Return the settings that are indistinguishable from the winner's, paired by seed."""
    trials = run.trials.set_index("trial")

    def scores(trial: str) -> dict[int, float]:
        own = trials.loc[replicates(run, trial)]
        known = own.dropna(subset=["objective"])
        return dict(zip(known["seed"].astype(int), known["objective"].astype(float), strict=True))

    won, bounds = scores(best.trial), metric(run.objective.metric).bounds
    level = []
    for trial in ranking(run).table.dropna(subset=["objective"])["trial"]:
        ahead = gain(won, scores(trial), run.objective.mode, bounds)
        if trial != best.trial and ahead is not None and not ahead.excludes_zero:
            level.append(trial)
    return tuple(level)


def _of_confirmation(run: Run, confirmation: Confirmation | None) -> Candidate | None:
    """Return the leader of the confirmation as a trial of the search."""
    if confirmation is None:
        return None
    trials = averaged(run).trials
    names = replicates(run, confirmation.leader.trial)
    rows = trials[trials["trial"].isin(names)]
    return None if rows.empty or rows["objective"].isna().all() else _candidate(run, rows.iloc[0])
