"""``tune-robust confirm``: the winners once more, on seeds that the search has not seen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tune_robust.cli.options import STORAGE, Address, Dashboard, Json, Run, Storage, Verbose
from tune_robust.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tune_robust.cli.conduct import RayOptions
    from tune_robust.runs.folder import RunFolder
    from tune_robust.runs.store import RunStore
    from tune_robust.tuning.engine.conductor import Conductor

TOP = 3


def confirm(
    run: Run,
    top: Annotated[
        int | None,
        typer.Option(help=f"How many winners; {TOP}, or none beside --trial.", min=1),
    ] = None,
    trial: Annotated[
        list[str] | None, typer.Option(help="Confirm this trial: t0012. Can be repeated.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many fresh seeds each.", min=1)] = 5,
    with_baselines: Annotated[
        bool,
        typer.Option("--with-baselines/--no-baselines", help="The baselines on the same seeds."),
    ] = True,
    storage: Storage = STORAGE,
    address: Address = None,
    dashboard: Dashboard = True,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Retrain a run's winners on fresh seeds: the scores to publish.

    The best of many trials is partly the luckiest. Each winner is trained at full budget on seeds
    that the search has not used (network, split and noise draw), all of them on the same ones. The
    same command again goes on where it was; more --seeds or --top add what is missing.

    \b
    Examples:
      tune-robust confirm r1
      tune-robust confirm r1 --top 5 --seeds 10
      tune-robust confirm r1 --trial t0012 --trial t0031
    """
    from tune_robust.cli.conduct import RayOptions
    from tune_robust.runs.find import find_run
    from tune_robust.runs.reader import read_trials
    from tune_robust.runs.trial import ENDED
    from tune_robust.spaces.objective import objective_of
    from tune_robust.spaces.space import Space
    from tune_robust.tuning.winners.retraining import choose, open_confirmation

    folder = find_run(run, storage)
    if "confirms" in (meta := folder.read_meta()):
        raise UserError(
            f"{folder.place} is itself a confirmation. Extend it by its run: "
            f"`tune-robust confirm {folder.storage} --seeds N`."
        )
    space, trials = Space.from_document(meta["space"]), read_trials(folder)
    top = top or (0 if trial else TOP)
    chosen = choose(
        trials, objective_of(space), top=top, named=trial or (), baselines=with_baselines
    )
    if not chosen:
        raise UserError(
            f"the run {folder.path.name!r} has no trial with a result to confirm yet. "
            f"See `tune-robust status {folder.place}`."
        )
    ended = sum(t.status in ENDED for t in trials.values())
    if ended < space.trials:
        typer.echo(
            f"The search has not finished: {ended} of {space.trials} trials have ended. These are "
            "the best so far.",
            err=True,
        )
    store = open_confirmation(folder, [t.name for t in chosen], seeds)
    go_on(store, RayOptions(address, dashboard, verbose), as_json=as_json)


def go_on(store: RunStore, ray: RayOptions, *, as_json: bool = False) -> None:
    """Run what remains of a confirmation, then show and keep what it found."""
    from rich.console import Console

    from tune_robust.cli.conduct import conduct, prepare
    from tune_robust.config import parse_config
    from tune_robust.spaces.space import Space
    from tune_robust.tuning.winners.retraining import confirmed_by, label_set

    space = Space.from_document(store.folder.read_meta()["space"])
    one_of_each = {label_set(trial): trial for trial in store.trials.values()}
    configs = [parse_config(trial.config, trial.name) for trial in one_of_each.values()]
    storage = confirmed_by(store.folder).storage
    prepare(configs, storage)
    conduct(
        space,
        store,
        storage,
        ray,
        console=Console(stderr=True) if as_json else None,
        sum_up=_print_json if as_json else _sum_up,
    )


def _sum_up(console: Console, conductor: Conductor, folder: RunFolder) -> None:
    from analysis import write_report
    from tune_robust.tuning.winners.retraining import SUMMARY, confirmed_by

    found = _summary(console, conductor, folder)
    console.print()
    console.print(confirmation_table(found))
    console.print(f"\n{found['conclusion']}", highlight=False)
    console.print(seeds_in_words(found), highlight=False)
    console.print(f"Written: {folder.place}/{SUMMARY}", highlight=False, soft_wrap=True)
    source = confirmed_by(folder)
    if (source.path / "report.html").exists():
        report = write_report(source.path)
        source.upload()
        console.print(f"Report:  {report}", highlight=False, soft_wrap=True)


def _print_json(console: Console, conductor: Conductor, folder: RunFolder) -> None:
    print(json.dumps(_summary(console, conductor, folder), indent=2))


def _summary(console: Console, conductor: Conductor, folder: RunFolder) -> dict[str, Any]:
    from tune_robust.cli.conduct import all_failed
    from tune_robust.tuning.winners.retraining import write_summary

    if all(trial.status == "failed" for trial in conductor.trials.values()):
        all_failed(console, conductor, folder)
    return write_summary(folder)


def confirmation_table(found: dict[str, Any]) -> Table:
    """Confirmed trials as rows, each mean with half of its 95 % interval."""
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
    table.caption = "★ best mean  ± half of the 95 % interval  * for the record: chose nothing"
    table.caption_justify = "left"
    return table


def _estimate(estimate: dict[str, Any]) -> str:
    if estimate["mean"] is None:
        return "-"
    mean, low = estimate["mean"], estimate["low"]
    return f"{mean:.3f}" + ("" if low is None else f" ±{mean - low:.3f}")


def status_line(source: RunFolder) -> str | None:
    """What ``status`` says of a run's confirmation; None if there is none."""
    from tune_robust.runs.reader import read_trials
    from tune_robust.runs.trial import ENDED
    from tune_robust.tuning.winners.retraining import confirmation_of, read_summary

    folder = confirmation_of(source)
    if not folder.meta.exists():
        return None
    trials = read_trials(folder).values()
    waiting = sum(trial.status not in ENDED for trial in trials)
    if waiting:
        return (
            f"A confirmation is under way: {len(trials) - waiting} of {len(trials)} trials have "
            f"ended. See it with: tune-robust status {folder.place}"
        )
    found = read_summary(source)
    return f"Confirmed: {found['conclusion']}" if found else None


def seeds_in_words(found: dict[str, Any]) -> str:
    """Which seeds, and what they draw anew."""
    seeds, varies = found["seeds"], found["varies"]
    drawn = f"{', '.join(varies[:-1])} and {varies[-1]}"
    fixed = "" if "noise draw" in varies else "; the wrong labels are what they are"
    which = f"Seed {seeds[0]}" if len(seeds) == 1 else f"Seeds {seeds[0]} to {seeds[-1]}"
    return (
        f"{which}, the same for all: each draws {drawn} anew{fixed}. "
        "P(best): Bayesian, flat priors, paired by seed."
    )
