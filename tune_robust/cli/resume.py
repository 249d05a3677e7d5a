"""``tune-robust resume``: finish what is left of a run, or extend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tune_robust.cli.options import STORAGE, Address, Dashboard, Run, Storage, TensorBoard, Verbose
from tune_robust.errors import UserError

if TYPE_CHECKING:
    from tune_robust.cli.conduct import RayOptions
    from tune_robust.runs.folder import RunFolder
    from tune_robust.runs.store import RunStore


def resume(
    run: Run,
    trials: Annotated[
        str | None, typer.Option(help="A new total (40), or how many more (+20).")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Train the failed trials again, from nothing.")
    ] = False,
    rebuild_log: Annotated[
        bool,
        typer.Option(
            "--rebuild-log",
            help="Write a lost event log anew from the tables trials.parquet and epochs.parquet.",
        ),
    ] = False,
    storage: Storage = STORAGE,
    address: Address = None,
    dashboard: Dashboard = True,
    tensorboard: TensorBoard = False,
    verbose: Verbose = False,
) -> None:
    """Finish what is left of a run. Nothing finished is repeated and nothing is lost.

    \b
    Examples:
      tune-robust resume r1
      tune-robust resume r1 --trials +20
      tune-robust resume runs/r1 --retry-failed
    """
    from tune_robust.cli.conduct import RayOptions, conduct, one_of_each_data, prepare
    from tune_robust.runs.find import find_run
    from tune_robust.spaces.space import Space

    ray = RayOptions(address, dashboard, verbose)
    folder = find_run(run, storage)
    meta = folder.read_meta()
    if "confirms" in meta:
        _resume_confirmation(folder, trials, retry_failed, rebuild_log, ray)
        return
    budget = meta["space"]["budget"]
    total = _total(trials, budget["trials"])
    extended = total != budget["trials"]
    budget["trials"] = total
    # All that can be refused is checked before the run is changed.
    space = Space.from_document(meta["space"])
    storage = folder.storage
    prepare(one_of_each_data(space), storage)
    store = _opened(folder, rebuild_log)
    if extended:
        folder.write_meta(meta)
    if retry_failed:
        store.retry_failed()
    conduct(space, store, storage, ray, tensorboard=tensorboard)


def _resume_confirmation(
    folder: RunFolder, trials: str | None, retry_failed: bool, rebuild_log: bool, ray: RayOptions
) -> None:
    from tune_robust.cli.confirm import go_on
    from tune_robust.tuning.winners.retraining import add_missing

    if trials is not None:
        raise UserError(
            f"{folder.place} is a confirmation: extend it with `tune-robust confirm "
            f"{folder.storage} --seeds N` or --top N."
        )
    store = _opened(folder, rebuild_log)
    if retry_failed:
        store.retry_failed()
    add_missing(store)
    go_on(store, ray)


def _opened(folder: RunFolder, rebuild_log: bool) -> RunStore:
    """The run opened for writing, a damaged log made whole; says what that has changed."""
    from tune_robust.runs.store import RunStore

    store = RunStore(folder, recover=True, rebuild=rebuild_log)
    if store.recovered:
        told = "\n".join(f"  {line}" for line in store.recovered)
        typer.echo(f"The event log {folder.events} was damaged and has been recovered:\n{told}")
    return store


def _total(given: str | None, before: int) -> int:
    if given is None:
        return before
    try:
        total = before + int(given) if given.startswith("+") else int(given)
    except ValueError:
        raise UserError(
            f"--trials {given!r}: a total such as 40, or an increase such as +20."
        ) from None
    if total < before:
        raise UserError(f"--trials {given}: the run has {before} already; give more, or +N.")
    return total
