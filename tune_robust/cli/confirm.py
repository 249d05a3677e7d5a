"""``tune-robust confirm``: retrain the winners on seeds that the search has not used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tune_robust.cli.options import (
    STORAGE,
    Address,
    By,
    Dashboard,
    Json,
    Mlflow,
    OtherCode,
    Run,
    Storage,
    TensorBoard,
    Verbose,
    Wandb,
)
from tune_robust.errors import UserError
from tune_robust.formatting import listed
from tune_robust.runs.naming import run_argument

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tune_robust.runs.folder import RunFolder


def confirm(
    run: Run,
    top: Annotated[
        int | None,
        typer.Option(
            help="Confirm this many of the best trials; by default 3, or none with --trial.",
            min=1,
        ),
    ] = None,
    trial: Annotated[
        list[str] | None,
        typer.Option(help="Confirm the trial with this name, as in t0012. Can be repeated."),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Train each trial on this many fresh seeds.", min=1)
    ] = 5,
    with_baselines: Annotated[
        bool,
        typer.Option(
            "--with-baselines/--no-baselines", help="Train the baselines on the same seeds too."
        ),
    ] = True,
    by: By = None,
    storage: Storage = STORAGE,
    address: Address = None,
    dashboard: Dashboard = True,
    tensorboard: TensorBoard = False,
    wandb: Wandb = False,
    mlflow: Mlflow = False,
    code: OtherCode = None,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Retrain a run's best trials on fresh seeds, to get the scores to publish.

    The best of many trials is partly the luckiest one. Each winner is therefore trained with the
    complete budget on seeds that the search has not used (for network, split and noise draw), which
    are the same for all winners. The same command continues an interrupted confirmation; with more
    --seeds or --top it adds what is missing.

    Examples:
      tune-robust confirm r1
      tune-robust confirm r1 --top 5 --seeds 10
      tune-robust confirm r1 --trial t0012 --trial t0031
      tune-robust confirm r1 --by val_accuracy
    """
    import tune_robust as tr
    from tune_robust.api.runs import folder_of
    from tune_robust.cli.running import console_of, exits_when_interrupted
    from tune_robust.console.display import Display
    from tune_robust.tuning.winners.retraining import confirmation_of

    console = console_of(as_json=as_json)
    with exits_when_interrupted():
        tr.confirm(
            run,
            top=top,
            trials=trial or (),
            seeds=seeds,
            baselines=with_baselines,
            by=by,
            storage=storage,
            address=address,
            dashboard=dashboard,
            tensorboard=tensorboard,
            wandb=wandb,
            mlflow=mlflow,
            code=code,
            progress=Display(console),
            verbose=verbose,
        )
    place = confirmation_of(folder_of(run, storage)).place
    print_confirmation(place, console, as_json=as_json)


def print_confirmation(place: str, console: Console, *, as_json: bool) -> None:
    """Print what the confirmation stored at ``place`` found."""
    from tune_robust.api.runs import folder_of
    from tune_robust.tuning.winners.retraining import SUMMARY, confirmed_by, read_summary

    source = confirmed_by(folder_of(place))
    found = read_summary(source)
    if found is None:
        raise UserError(f"{place} has no results yet. Run `tune-robust confirm {source.place}`.")
    if as_json:
        print(json.dumps(found, indent=2))
        return
    console.print()
    console.print(confirmation_table(found))
    console.print(f"\n{found['conclusion']}", highlight=False)
    console.print(_seeds_as_text(found), highlight=False)
    console.print(f"Written: {place}/{SUMMARY}", highlight=False, soft_wrap=True)
    report = source.path / "report.html"
    if report.exists():
        console.print(f"Report:  {report}", highlight=False, soft_wrap=True)


def confirmation_table(found: dict[str, Any]) -> Table:
    """Return the confirmed trials as rows, each mean with its 95 % interval."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("trial", no_wrap=True)
    for heading in (found["metric"], "behind", "P(best)", "search", "optimism", "test acc.*"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in found["trials"]:
        base = " base" if row["origin"] == "baseline" else ""
        table.add_row(
            f"{row['trial']}{base}{' ★' if row['leads'] else ''}",
            _estimate(row),
            _estimate(row["behind_leader"]),
            "-" if row["probability_best"] is None else f"{row['probability_best']:.0%}",
            "-" if row["search_score"] is None else f"{row['search_score']:.3f}",
            "-" if row["optimism"] is None else f"{row['optimism']:+.3f}",
            _estimate(row["test_accuracy"]),
            style="bold" if row["leads"] else None,
        )
    table.caption = (
        "★ best mean  ± half of the 95 % interval, or its ends where it is clipped to possible "
        "values  * not used for selection"
    )
    table.caption_justify = "left"
    return table


def _estimate(estimate: dict[str, Any]) -> str:
    from tune_robust.statistics import Estimate

    found = Estimate(*(estimate[field] for field in Estimate._fields))
    return "-" if found.mean is None else found.as_text("{:.3f}".format)


def status_line(source: RunFolder) -> str | None:
    """Return what ``status`` prints about a run's confirmation; None if there is none."""
    from tune_robust.tuning.winners.retraining import confirmation_of, read_summary

    if unfinished := in_progress("A confirmation", confirmation_of(source)):
        return unfinished
    found = read_summary(source)
    return f"Confirmed: {found['conclusion']}" if found else None


def in_progress(what: str, folder: RunFolder) -> str | None:
    """Return that a run that retrains trials is in progress; None if it is not, or is not there."""
    from tune_robust.runs.reader import read_trials
    from tune_robust.runs.trial import ENDED

    trials = read_trials(folder).values() if folder.meta.exists() else ()
    ended = sum(trial.status in ENDED for trial in trials)
    if ended == len(trials):
        return None
    return (
        f"{what} is in progress: {ended} of {len(trials)} trials have ended. "
        f"Show it with: tune-robust status {run_argument(folder.place)}"
    )


def _seeds_as_text(found: dict[str, Any]) -> str:
    """Return which seeds were used, and what each of them changes."""
    seeds, varies = found["seeds"], found["varies"]
    which = f"Seed {seeds[0]}" if len(seeds) == 1 else f"Seeds {seeds[0]} to {seeds[-1]}"
    return (
        f"{which}, the same for all trials: {_what_a_seed_draws(varies)}. "
        "P(best) is the posterior probability of being the best, with flat priors, paired by seed."
    )


def _what_a_seed_draws(varies: list[str]) -> str:
    if varies == ["loop"]:
        return "what each of them changes is up to the loop"
    fixed = "" if "noise draw" in varies else "; the wrong labels are given and stay the same"
    return f"each draws a new {listed(varies)}{fixed}"
