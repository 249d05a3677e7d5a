"""``tune-robust status``: where a run stands, while it runs or after."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tune_robust.cli.options import STORAGE, Json, Run, Storage
from tune_robust.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from tune_robust.runs.folder import RunFolder
    from tune_robust.runs.record import Record
    from tune_robust.spaces.space import Space


SHOWN = 200
"""Trials that the table has at least; a table of thousands takes longer to draw than to read."""


def status(
    run: Run,
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep showing it until its search ends.")
    ] = False,
    every: Annotated[
        bool,
        typer.Option(
            "--all", help=f"Show all trials, not only the best {SHOWN} and those under way."
        ),
    ] = False,
    storage: Storage = STORAGE,
    as_json: Json = False,
) -> None:
    """Show a run's trials, best first, and what is left of it.

    \b
    Examples:
      tune-robust status r1
      tune-robust status r1 --follow
      tune-robust status r1 --all
      tune-robust status runs/r1 --json
    """
    from tune_robust.runs.find import find_run
    from tune_robust.runs.reader import read_record
    from tune_robust.spaces.space import Space

    if follow and as_json:
        raise UserError("--follow shows the run as it goes, --json its state once: give one.")
    folder = find_run(run, storage)
    space = Space.from_document(folder.read_meta()["space"])
    if as_json:
        print(json.dumps(_document(folder, space, read_record(folder)), indent=2))
        return

    from tune_robust.cli.follow import follow as follow_run
    from tune_robust.cli.overview import open_console

    console = open_console()
    if follow and folder.is_live():
        follow_run(console, space, folder)
    _print(console, folder, space, read_record(folder), every=every)


def _print(
    console: Console, folder: RunFolder, space: Space, record: Record, *, every: bool
) -> None:
    from tune_robust.cli.confirm import status_line
    from tune_robust.cli.front import print_front
    from tune_robust.cli.overview import trial_table
    from tune_robust.cli.rungs import print_rungs
    from tune_robust.runs.pareto import pareto_front
    from tune_robust.runs.progress import SearchProgress
    from tune_robust.schedulers.rung_check import check_run
    from tune_robust.tuning.winners.export import ranked

    standing = SearchProgress(space, record.trials)
    best_first = [*standing.best_first()]
    best = ranked(best_first, standing.objective)
    under_way = {trial.name for trial in standing.under_way()}
    shown = [
        trial for n, trial in enumerate(best_first) if every or n < SHOWN or trial.name in under_way
    ]
    console.print(trial_table(shown, space, best[0] if best else None))
    if len(shown) < len(best_first):
        console.print(f"{len(best_first) - len(shown)} more have ended: --all shows them.")
    if space.objective.against:
        print_front(console, pareto_front(best_first, space), space)
    check = check_run(space, record)
    if check and (check.enough or space.budget.sentinels):
        print_rungs(console, check, space.budget.unit)
    live = folder.is_live()
    console.print(
        f"\n{standing.ended} of {standing.total} trials have ended; "
        f"{'running now' if live else 'not running'}.",
        highlight=False,
    )
    if live and (url := folder.read_meta().get("dashboard")):
        console.print(f"Dashboard: {url}", highlight=False)
    for trial in best_first:
        for reason in (*trial.retried, *trial.notes):
            console.print(f"{trial.name}: {reason}", style="yellow", markup=False)
        if trial.status == "failed":
            console.print(f"{trial.name} failed: {trial.error.strip()}", style="red", markup=False)
    if standing.remaining and not live:
        console.print(f"Go on with: tune-robust resume {folder.place}", highlight=False)
    if confirmed := status_line(folder):
        console.print(confirmed, highlight=False)


def _document(folder: RunFolder, space: Space, record: Record) -> dict[str, Any]:
    from tune_robust.runs.pareto import pareto_front
    from tune_robust.runs.progress import SearchProgress
    from tune_robust.schedulers.rung_check import check_run
    from tune_robust.tuning.winners.retraining import read_summary

    standing, check = SearchProgress(space, record.trials), check_run(space, record)
    best_first = [*standing.best_first()]
    front = pareto_front(best_first, space) if space.objective.against else None
    return {
        "run": folder.path.name,
        "live": folder.is_live(),
        "dashboard": folder.read_meta().get("dashboard") if folder.is_live() else None,
        "ended": standing.ended,
        "total": standing.total,
        "pareto_front": [trial.name for trial in front] if front is not None else None,
        "rung_check": check.document() if check else None,
        "confirmation": read_summary(folder),
        "trials": [
            {
                "trial": trial.name,
                "origin": trial.origin,
                "sentinel": trial.sentinel,
                "confirms": trial.confirms,
                "status": trial.status,
                "values": trial.values,
                "epoch": max(trial.epochs, default=0),
                "metrics": trial.last,
                "error": trial.error,
                "retried": trial.retried,
                "notes": trial.notes,
            }
            for trial in best_first
        ],
    }
