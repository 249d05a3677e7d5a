"""``tune-robust status``: show the progress of a run, during its search or afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from tune_robust.cli.completion import complete_run
from tune_robust.cli.options import STORAGE, Json, Storage
from tune_robust.errors import UserError
from tune_robust.formatting import count
from tune_robust.runs.naming import run_argument

if TYPE_CHECKING:
    from rich.console import Console

    from tune_robust.runs.folder import RunFolder
    from tune_robust.runs.record import Record
    from tune_robust.spaces.space import Space


SHOWN = 200
"""The largest number of trials in the table by default, since long tables are slow to draw."""


def status(
    run: Annotated[
        str | None,
        typer.Argument(
            help="The run: its name under --storage, its path or its URI. Without it, all runs in "
            "--storage are listed.",
            autocompletion=complete_run,
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep showing the run until its search ends.")
    ] = False,
    every: Annotated[
        bool,
        typer.Option(
            "--all", help=f"Show all trials, not only the best {SHOWN} and the running ones."
        ),
    ] = False,
    storage: Storage = STORAGE,
    as_json: Json = False,
) -> None:
    """Show the trials of a run, best first, and how many remain; or list all runs.

    Examples:
      tune-robust status
      tune-robust status --storage s3://bucket/runs
      tune-robust status r1
      tune-robust status r1 --follow
      tune-robust status r1 --all
      tune-robust status runs/r1 --json
    """
    import tune_robust as tr

    if follow and as_json:
        raise UserError(
            "--follow shows the run as it changes, and --json prints its state once: use only one."
        )
    if run is None and follow:
        raise UserError("--follow shows one run: name it, as in `tune-robust status r1 --follow`.")
    if as_json:
        found = tr.list_runs(storage) if run is None else tr.status(run, storage=storage)
        print(json.dumps(found, indent=2))
        return
    if run is None:
        _print_runs(storage)
        return

    from tune_robust.cli.follow import follow as follow_run
    from tune_robust.console.overview import open_console
    from tune_robust.runs.find import find_run
    from tune_robust.runs.reader import read_record
    from tune_robust.spaces.space import Space

    folder, console = find_run(run, storage), open_console()
    space = Space.from_document(folder.read_meta()["space"])
    if follow and folder.is_live():
        follow_run(console, space, folder)
    _print(console, folder, space, read_record(folder), every=every)


def _print_runs(storage: str) -> None:
    from tune_robust.cli.run_table import run_table
    from tune_robust.console.overview import open_console
    from tune_robust.runs.listing import list_runs

    console, runs = open_console(), list_runs(storage)
    if runs:
        console.print(run_table(runs))
    else:
        console.print(f"There are no runs in {storage}.", markup=False, highlight=False)
    for each in runs:
        if each.problem:
            console.print(f"{each.name}: {each.problem}", style="red", markup=False)


def _print(
    console: Console, folder: RunFolder, space: Space, record: Record, *, every: bool
) -> None:
    from tune_robust.cli import audit, confirm
    from tune_robust.cli.pareto_table import print_front
    from tune_robust.cli.rung_check_table import print_rung_check
    from tune_robust.console.trial_table import trial_table
    from tune_robust.runs.expected_gain import ExpectedGain, ends_search
    from tune_robust.runs.pareto import pareto_front
    from tune_robust.runs.progress import SearchProgress
    from tune_robust.runs.time_used import sentence, time_used
    from tune_robust.schedulers.rung_check import check_run
    from tune_robust.tuning.winners.criterion import selection
    from tune_robust.tuning.winners.export import ranked

    progress = SearchProgress(space, record.trials)
    best_first = [*progress.best_first()]
    best = ranked(best_first, progress.objective)
    under_way = {trial.name for trial in progress.under_way()}
    shown = [
        trial for n, trial in enumerate(best_first) if every or n < SHOWN or trial.name in under_way
    ]
    console.print(trial_table(shown, space, best[0] if best else None))
    meta = folder.read_meta()
    images = (meta.get("images") or {}).get("validation")
    if selected := selection(best_first, space, images):
        console.print(selected.sentence(), highlight=False)
        if caution := selected.caution():
            console.print(caution, style="yellow", highlight=False, soft_wrap=True)
    if more := len(best_first) - len(shown):
        console.print(f"{count(more, 'more trial')} ended; --all shows them.", highlight=False)
    if space.objective.against:
        print_front(console, pareto_front(best_first, space), space)
    check = check_run(space, record)
    stops = space.budget.scheduler != "none"
    if check and stops and (check.enough or space.budget.sentinels):
        print_rung_check(console, check, space.budget.unit)
    live = folder.is_live()
    console.print(
        f"\n{progress.ended} of {progress.total} trials have ended; "
        f"{'running now' if live else 'not running'}.",
        highlight=False,
    )
    gain = ExpectedGain.of(meta)
    stopped = ends_search(gain)
    if gain is not None:
        because = " The search has ended because of it (budget.stop: auto)." if stopped else ""
        console.print(gain.sentence() + because, highlight=False)
    if used := sentence(time_used(space, meta)):
        console.print(used, highlight=False)
    if live and (url := meta.get("dashboard")):
        console.print(f"Dashboard: {url}", highlight=False)
    for trial in best_first:
        for reason in (*trial.retried, *trial.notes):
            console.print(f"{trial.name}: {reason}", style="yellow", markup=False)
        if trial.status == "failed":
            console.print(
                f"{trial.name} failed: {(trial.error or '').strip()}", style="red", markup=False
            )
    if progress.remaining and not live and not stopped:
        console.print(
            f"Continue with: tune-robust resume {run_argument(folder.place)}", highlight=False
        )
    for again in (confirm, audit):
        if line := again.status_line(folder):
            console.print(line, highlight=False)
