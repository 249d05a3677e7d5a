"""What ``search`` and ``resume`` share: run what remains, show it, sum it up."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from rich.console import Console

from tune_robust.cli.front import print_front
from tune_robust.cli.options import EXITS_INTERRUPTED, STORAGE
from tune_robust.cli.overview import open_console
from tune_robust.cli.progress import Progress
from tune_robust.config import TrainConfig
from tune_robust.data.cache_folder import cache_of
from tune_robust.errors import SearchFailed, UserError
from tune_robust.files import is_uri
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.pareto import pareto_front
from tune_robust.runs.progress import SearchProgress
from tune_robust.runs.provenance import gpu_names
from tune_robust.runs.store import RunStore
from tune_robust.runs.trial import Trial
from tune_robust.spaces.dimensions import varies_labels
from tune_robust.spaces.draws import grid_points
from tune_robust.spaces.space import Space
from tune_robust.tuning.engine.conductor import Conductor
from tune_robust.tuning.engine.slots import Node, Slots, fit_slots
from tune_robust.tuning.winners.export import best_of_each_label_set, export_yaml, ranked

if TYPE_CHECKING:
    from tune_robust.runs.tensorboard import TensorBoard

EXPORTED = 3
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
"""What a full, read-only, protected or broken storage answers."""

SumUp = Callable[[Console, Conductor, RunFolder], None]
"""Says how a run ended, once all its trials have; exits 1 if all failed."""


@dataclass(frozen=True)
class RayOptions:
    """How a command uses Ray: on the cluster at ``address``, or started for it alone."""

    address: str | None
    dashboard: bool
    verbose: bool

    def cluster(self) -> tuple[str | None, str]:
        """The cluster's address, None for Ray on this machine alone; and that in words."""
        address = self.address or os.environ.get("RAY_ADDRESS") or "local"
        if address == "local":
            return None, "Starting Ray"
        source = "" if self.address else " (RAY_ADDRESS)"
        return address, f"Joining the Ray cluster at {address}{source}"


def prepare(configs: Sequence[TrainConfig], storage: str) -> dict[str, Any]:
    """Decode the data once, and see that network and batches fit it, before any trial needs to.

    ``configs``: one of each data set and label set, as ``one_of_each_data`` gives them.

    Returns, for run.json, each part's number of images and measured share of wrong labels; nothing
    where these differ from trial to trial.
    """
    from tune_robust.data import load_dataset, make_splits
    from tune_robust.training import check_fits

    for config in configs:
        splits = make_splits(config.data, load_dataset(config.data, cache_of(storage)))
        check_fits(config, splits)
    if len(configs) > 1:
        return {}
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    known = config.data.truth_known
    return {
        "images": {name: len(part) for name, part in parts.items()},
        "wrong_labels": {
            name: part.noisy.float().mean().item() if known else None
            for name, part in parts.items()
        },
    }


def one_of_each_data(space: Space) -> list[TrainConfig]:
    """A configuration of each data set and label set: only a grid may go through several."""
    varying = [dim for dim in space.dimensions if varies_labels(dim.path)]
    points = grid_points(space.dimensions) if varying else [{}]
    configs = (space.config_for(point) for point in points)
    return list({config.data.model_dump_json(): config for config in configs}.values())


def conduct(
    space: Space,
    store: RunStore,
    storage: str,
    ray: RayOptions,
    *,
    tensorboard: bool = False,
    console: Console | None = None,
    sum_up: SumUp | None = None,
) -> None:
    """Run what remains of the search, then report; exits 130 when interrupted, 1 if all failed.

    TensorBoard logs, once there are any, are continued.

    Raises:
        UserError: when the run's folder cannot be written to.
    """
    console = console or open_console()
    try:
        conductor = _run(space, store, storage, ray, console, tensorboard=tensorboard)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise _cannot_write(store.folder, error) from error
    if conductor.hopeless is not None:
        raise _hopeless(conductor, store.folder)
    if not conductor.complete:
        _interrupted(console, store.folder, conductor.progress)
    (sum_up or _sum_up)(console, conductor, store.folder)
    store.folder.upload()


def _run(
    space: Space,
    store: RunStore,
    storage: str,
    ray: RayOptions,
    console: Console,
    *,
    tensorboard: bool,
) -> Conductor:
    """Run what remains, until it is done or interrupted; the run is released in any case."""
    from tune_robust.runs.disk import check_disk
    from tune_robust.tuning.engine.ray_backend import run_trials
    from tune_robust.tuning.engine.ray_metrics import RayMetrics
    from tune_robust.tuning.engine.ray_session import check_nodes, ray_session

    folder, cache = store.folder, cache_of(storage)
    progress = Progress(console)
    gauges: RayMetrics | None = None
    board = _tensorboard(store) if tensorboard or folder.tensorboard.exists() else None

    def watch(trial: Trial) -> None:
        progress.update(trial)
        if board:
            board.update(trial)
        if gauges:
            gauges.update(trial)

    conductor = Conductor(space, store, threads=space.resources.cpus, watcher=watch)
    try:
        if not conductor.complete:
            address, told = ray.cluster()
            console.print(f"Run [bold]{folder.place}[/]. {told} ...", highlight=False)
            with ray_session(dashboard=ray.dashboard, verbose=ray.verbose, address=address) as url:
                if url:
                    gauges = RayMetrics(folder.path.name, lambda: conductor.progress)
                if address:
                    check_nodes(None if is_uri(storage) else str(folder.path.resolve()))
                conductor.give(_slots(space, folder, cache, console))
                concurrency = conductor.slots.concurrency
                warning = check_disk(space, folder, cache, concurrency=concurrency)
                if warning:
                    console.print(warning, style="yellow", highlight=False, soft_wrap=True)
                with (
                    progress.running(conductor.progress, conductor.slots, url),
                    folder.noting(dashboard=url),
                ):
                    run_trials(conductor, cache)
    except KeyboardInterrupt:
        pass
    finally:
        conductor.close()
        if board:
            board.close()
    return conductor


def _hopeless(conductor: Conductor, folder: RunFolder) -> SearchFailed:
    failed = conductor.progress.counts["failed"]
    return SearchFailed(
        f"the first {failed} trials have all failed with the same error, so the search has "
        f"stopped:\n  {conductor.hopeless}\nSee `{command_for('status', folder)}`. Once the cause "
        "is removed, train the failed trials again and go on with:\n"
        f"  {command_for('resume', folder)} --retry-failed"
    )


def _cannot_write(folder: RunFolder, error: OSError) -> UserError:
    free = shutil.disk_usage(folder.path).free / 1e6
    return UserError(
        f"cannot write to the run's folder {folder.place}: {error.strerror or error} ({free:.0f} "
        "MB are free there). The search has stopped and nothing is lost. Make space, or see that "
        f"you may write there, then go on with:\n  {command_for('resume', folder)}"
    )


def _tensorboard(store: RunStore) -> TensorBoard:
    # Slow to import, and seldom asked for.
    from tune_robust.runs.tensorboard import TensorBoard

    board = TensorBoard(store.folder)
    board.open(store.trials.values())
    return board


def _slots(space: Space, folder: RunFolder, cache: Path, console: Console) -> Slots:
    """Those that run.json keeps, unless the machines are others; else what these hold.

    Raises:
        UserError: the cluster has no CPUs.
    """
    from tune_robust.tuning.engine.ray_session import live_nodes

    nodes = live_nodes()
    if not nodes:
        raise UserError("the cluster has no node with CPUs yet. Try again once one has joined.")
    machines = {"nodes": [list(node) for node in nodes], "gpus": gpu_names()}
    meta = folder.read_meta()
    if "slots" in meta and meta.get("slots_on") == machines:
        return Slots(**meta["slots"])
    slots = new_slots(space, cache, nodes, console)
    folder.write_meta({**meta, "slots_on": machines})
    return slots


def new_slots(space: Space, cache: Path, nodes: Sequence[Node], console: Console) -> Slots:
    """What the space's resources come to on such nodes; ``gpus: auto`` is measured."""
    wanted = space.resources
    gpus = wanted.gpus
    if gpus == "auto":
        gpus = _measured_share(space, cache, nodes, console)
    return fit_slots(wanted.cpus, gpus, wanted.concurrency, nodes)


def _measured_share(space: Space, cache: Path, nodes: Sequence[Node], console: Console) -> float:
    """On the node with the most CPUs of those that have a GPU; 0 where none has."""
    from tune_robust.tuning.engine.gpu_probe import share_of_gpu

    node = max((node for node in nodes if node.gpus), default=None)
    if node is None:
        return 0.0
    console.print("Measuring how many trials a GPU is best shared by ...")
    cpus = min(space.resources.cpus, node.cpus)
    at_most = max(1, node.cpus // (cpus * node.gpus))
    sharing = share_of_gpu(space, cache, cpus=cpus, at_most=at_most)
    console.print(sharing.describe(), highlight=False, soft_wrap=True)
    return sharing.share


def _interrupted(console: Console, folder: RunFolder, standing: SearchProgress) -> None:
    console.print(
        f"\nInterrupted: {standing.ended} of {standing.total} trials have "
        f"ended, nothing is lost. Go on with:\n  {command_for('resume', folder)}",
        highlight=False,
    )
    raise typer.Exit(EXITS_INTERRUPTED)


def command_for(verb: str, folder: RunFolder) -> str:
    """The exact command that does ``verb`` with the run, from this working directory."""
    default = Path(folder.place).resolve().parent == Path(STORAGE).resolve()
    return f"tune-robust {verb} " + shlex.quote(folder.path.name if default else folder.place)


def _sum_up(console: Console, conductor: Conductor, folder: RunFolder) -> None:
    from analysis import write_report

    objective, trials = conductor.objective, conductor.trials.values()
    best = ranked(trials, objective)
    if not best:
        all_failed(console, conductor, folder)
    leaders = best_of_each_label_set(best)
    chosen = leaders if len(leaders) > 1 else best[:EXPORTED]
    if conductor.space.objective.against:
        chosen = pareto_front(trials, conductor.space)
        print_front(console, chosen, conductor.space)
    elif len(leaders) > 1:
        _print_leaders(console, leaders, objective.metric)
    else:
        _print_winner(console, best, objective.metric)
    report = write_report(folder.path)
    exported = export_yaml(folder, chosen, folder.path / "exported")
    console.print(f"Report:   {report}", highlight=False, soft_wrap=True)
    console.print(f"Exported: {exported[0]}", highlight=False, soft_wrap=True)
    console.print(
        f"Confirm:  {command_for('confirm', folder)}  (fresh seeds: is it luck?)\n"
        f"Again:    tune-robust train --config {shlex.quote(str(exported[0]))}",
        highlight=False,
        soft_wrap=True,
    )


def all_failed(console: Console, conductor: Conductor, folder: RunFolder) -> NoReturn:
    """Say so and where to look, and exit 1."""
    console.print(
        f"All {len(conductor.trials)} trials failed. See why:\n  tune-robust status {folder.place}"
    )
    raise typer.Exit(1)


def _print_winner(console: Console, best: list[Trial], metric: str) -> None:
    winner = best[0]
    console.print(f"\nWinner: [bold]{winner.name}[/] {describe(winner)}", highlight=False)
    console.print(f"  {scores(winner, metric)}", highlight=False)
    if winner.origin == "baseline":
        console.print("  This is a baseline: nothing that the search tried was better.")
    for baseline in (t for t in best if t.origin == "baseline" and t is not winner):
        console.print(
            f"Baseline: {baseline.name} {describe(baseline)}\n  {scores(baseline, metric)}",
            highlight=False,
        )


def _print_leaders(console: Console, leaders: list[Trial], metric: str) -> None:
    console.print("\nScores on different labels do not compare. The best on each label set:")
    for trial in leaders:
        console.print(
            f"  [bold]{trial.name}[/] {describe(trial)}\n    {scores(trial, metric)}",
            highlight=False,
        )


def describe(trial: Trial) -> str:
    """A trial's settings in a line."""
    return "  ".join(f"{path} {short(value)}" for path, value in trial.values.items())


def scores(trial: Trial, metric: str) -> str:
    """The objective beside the test accuracy, which is for the record only."""
    last = trial.last
    text = f"{metric} {short(last.get(metric))}"
    if last.get("test_accuracy") is not None:
        text += f", test accuracy {short(last['test_accuracy'])} (for the record; never chosen by)"
    return text


def short(value: object) -> str:
    """Numbers to four significant digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
