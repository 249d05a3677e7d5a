"""The results that ``search`` and ``resume`` print at the end."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from tune_robust.errors import SearchFailed
from tune_robust.formatting import count, short
from tune_robust.runs.naming import run_argument
from tune_robust.runs.replicates import SEED, by_setting

if TYPE_CHECKING:
    from rich.console import Console

    from analysis.stored.run import Run
    from tune_robust.runs.folder import RunFolder
    from tune_robust.runs.trial import Trial
    from tune_robust.spaces.space import Space

    Seeds = Mapping[str, Sequence[Trial]]
    """The finished trials of a setting, by the name of the first."""


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
    from tune_robust.runs.agreement import confusion_of
    from tune_robust.runs.reader import read_trials
    from tune_robust.spaces.objective import objective_of
    from tune_robust.spaces.space import Space
    from tune_robust.tuning.winners.criterion import selection
    from tune_robust.tuning.winners.export import best_of_each_label_set, winners
    from tune_robust.tuning.winners.second_opinion import more_informative

    meta = folder.read_meta()
    space, trials = Space.from_document(meta["space"]), read_trials(folder).values()
    best = winners(trials, space)
    seeds = {same[0].name: same for same in by_setting(t for t in trials if t.status == "done")}
    leaders = best_of_each_label_set(best)
    if space.objective.against:
        print_front(console, best, space)
    elif len(leaders) > 1:
        _print_leaders(console, leaders, seeds, space)
    else:
        _print_winner(console, best, seeds, space)
        other = more_informative(best[0], trials, objective_of(space))
        if other is not None:
            _print_other(console, folder, other, seeds)
        selected = selection(trials, space, (meta.get("images") or {}).get("validation"))
        for warning in (selected and selected.caution(), confusion_of(folder, best)):
            if warning:
                console.print(warning, style="yellow", highlight=False, soft_wrap=True)


def _print_winner(console: Console, best: Sequence[Trial], seeds: Seeds, space: Space) -> None:
    metric, winner = space.objective.metric, best[0]
    console.print(f"\nWinner: {winner.name} {_settings(winner)}", highlight=False)
    console.print(f"  {_scores(winner, seeds, metric)}", highlight=False)
    if winner.origin == "baseline":
        console.print("  This is a baseline: no setting that the search tried was better.")
    for baseline in (t for t in best if t.origin == "baseline" and t is not winner):
        console.print(
            f"Baseline: {baseline.name} {_settings(baseline)}\n"
            f"  {_scores(baseline, seeds, metric)}",
            highlight=False,
        )


def _print_other(console: Console, folder: RunFolder, other: Trial, seeds: Seeds) -> None:
    console.print(
        f"By label information, which wrong labels mislead less than accuracy, {other.name} is the "
        f"best trial:\n  {_settings(other)}\n  {_scores(other, seeds, 'val_information')}\n"
        f"Compare both: tune-robust confirm {run_argument(folder.place)} --top 3 "
        f"--trial {other.name}",
        highlight=False,
        soft_wrap=True,
    )


def _print_leaders(console: Console, leaders: Sequence[Trial], seeds: Seeds, space: Space) -> None:
    console.print("\nScores on different labels do not compare. The best on each label set:")
    for trial in leaders:
        scores = _scores(trial, seeds, space.objective.metric)
        console.print(f"  {trial.name} {_settings(trial)}\n    {scores}", highlight=False)


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
    shown = ((path, value) for path, value in trial.values.items() if path != SEED)
    return "  ".join(f"{path} {short(value)}" for path, value in shown)


def _scores(trial: Trial, seeds: Seeds, metric: str) -> str:
    """Return the objective and the test accuracy, as means over a setting's seeds."""
    repeated = seeds.get(trial.name, [trial])
    score, test = _mean(repeated, metric), _mean(repeated, "test_accuracy")
    text = f"{metric} {score or short(None)}"
    if len(repeated) > 1:
        text += f", mean of {len(repeated)} seeds"
    accuracy = None if metric == "val_accuracy" else _mean(repeated, "val_accuracy")
    if accuracy is not None:
        text += f", val_accuracy {accuracy}"
    if test is not None:
        text += f", test accuracy {test} (not used for selection)"
    return text


def _mean(trials: Sequence[Trial], metric: str) -> str | None:
    """Return the mean of the last epochs, with the standard deviation over several trials."""
    values = [value for trial in trials if (value := trial.last.get(metric)) is not None]
    if len(values) < 2:
        return short(values[0]) if values else None
    return f"{short(fmean(values))} ± {short(stdev(values))}"
