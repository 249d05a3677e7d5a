"""The results that ``search`` and ``resume`` print at the end."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tune_robust.errors import SearchFailed
from tune_robust.formatting import count, short
from tune_robust.runs.naming import run_argument

if TYPE_CHECKING:
    from rich.console import Console

    from analysis.stored.run import Run
    from tune_robust.runs.folder import RunFolder
    from tune_robust.runs.trial import Trial
    from tune_robust.spaces.space import Space


def finish(run: Run, console: Console, *, as_json: bool) -> None:
    """Export the winners, write the report, and print both.

    Raises:
        SearchFailed: all trials failed.
    """
    from tune_robust.api.export import export
    from tune_robust.api.report import report
    from tune_robust.api.runs import folder_of
    from tune_robust.api.status import status

    folder = folder_of(run)
    if run.trials["objective"].isna().all():
        raise SearchFailed(
            f"all {count(len(run.trials), 'trial')} failed. See why:\n"
            f"  tune-robust status {run_argument(run.place)}"
        )
    exported, page = export(run), report(run)
    if as_json:
        files = {"report": str(page), "exported": [str(path) for path in exported]}
        print(json.dumps({**status(run), "place": folder.place, **files}, indent=2))
        return
    _print_winners(console, folder)
    _print_files(console, folder, page, exported)


def _print_winners(console: Console, folder: RunFolder) -> None:
    from tune_robust.cli.pareto_table import print_front
    from tune_robust.runs.reader import read_trials
    from tune_robust.spaces.space import Space
    from tune_robust.tuning.winners.export import best_of_each_label_set, winners

    space = Space.from_document(folder.read_meta()["space"])
    best = winners(read_trials(folder).values(), space)
    leaders = best_of_each_label_set(best)
    if space.objective.against:
        print_front(console, best, space)
    elif len(leaders) > 1:
        _print_leaders(console, leaders, space)
    else:
        _print_winner(console, best, space)


def _print_winner(console: Console, best: Sequence[Trial], space: Space) -> None:
    metric, winner = space.objective.metric, best[0]
    console.print(f"\nWinner: {winner.name} {_settings(winner)}", highlight=False)
    console.print(f"  {_scores(winner, metric)}", highlight=False)
    if winner.origin == "baseline":
        console.print("  This is a baseline: no setting that the search tried was better.")
    for baseline in (t for t in best if t.origin == "baseline" and t is not winner):
        console.print(
            f"Baseline: {baseline.name} {_settings(baseline)}\n  {_scores(baseline, metric)}",
            highlight=False,
        )


def _print_leaders(console: Console, leaders: Sequence[Trial], space: Space) -> None:
    console.print("\nScores on different labels do not compare. The best on each label set:")
    for trial in leaders:
        console.print(
            f"  {trial.name} {_settings(trial)}\n    {_scores(trial, space.objective.metric)}",
            highlight=False,
        )


def _print_files(console: Console, folder: RunFolder, page: Path, exported: Sequence[Path]) -> None:
    console.print(
        f"Report:   {page}\n"
        f"Exported: {exported[0]}\n"
        f"Confirm:  tune-robust confirm {run_argument(folder.place)}  (retrains the best on "
        "fresh seeds)\n"
        f"Repeat:   tune-robust train --config {shlex.quote(str(exported[0]))}",
        highlight=False,
        soft_wrap=True,
    )


def _settings(trial: Trial) -> str:
    return "  ".join(f"{path} {short(value)}" for path, value in trial.values.items())


def _scores(trial: Trial, metric: str) -> str:
    """Return the objective, and the test accuracy, which is not used for selection."""
    last = trial.last
    text = f"{metric} {short(last.get(metric))}"
    if last.get("test_accuracy") is not None:
        text += f", test accuracy {short(last['test_accuracy'])} (not used for selection)"
    return text
