"""Run the remaining trials of a search or of a confirmation on Ray."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tune_robust.cache_folder import cache_of
from tune_robust.errors import SearchFailed, UserError
from tune_robust.files import is_uri
from tune_robust.runs.expected_gain import ExpectedGain, ends_search
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.naming import run_argument
from tune_robust.runs.store import RunStore
from tune_robust.runs.trial import Trial
from tune_robust.spaces.space import Space
from tune_robust.tuning.engine.allocation import check_limits, slots_of_run
from tune_robust.tuning.engine.conductor import Conductor
from tune_robust.tuning.engine.logs import Log, Logs
from tune_robust.tuning.engine.signals import handled
from tune_robust.tuning.engine.watching import Watcher

if TYPE_CHECKING:
    from tune_robust.tuning.engine.ray_metrics import RayMetrics

_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_LOGS = Logs()
UNWRITABLE = _FULL | {
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ELOOP,
}
"""The errors of a storage that is full, read-only, protected, broken or was removed."""


class Interrupted(KeyboardInterrupt):
    """A search was interrupted; everything is stored, and ``resume`` continues it.

    ``run`` is the path or URI of the run; ``ended`` of its ``total`` trials have ended.
    """

    def __init__(self, run: str, ended: int, total: int):
        super().__init__(
            f"{ended} of {total} trials have ended, and nothing is lost. "
            f"Continue with tune_robust.resume({run!r})."
        )
        self.run, self.ended, self.total = run, ended, total


@dataclass(frozen=True)
class RayOptions:
    """How a search uses Ray.

    Args:
        address: the address of a running cluster (``auto`` or HOST:PORT); by default the
            environment variable RAY_ADDRESS and, if that is not set, Ray on this machine alone.
        dashboard: whether to start Ray's dashboard.
        verbose: whether to show Ray's own messages.
    """

    address: str | None = None
    dashboard: bool = True
    verbose: bool = False

    def cluster(self) -> tuple[str | None, str]:
        """Return the cluster's address, None for this machine alone, and a sentence on it."""
        address = self.address or os.environ.get("RAY_ADDRESS") or "local"
        if address == "local":
            return None, "Starting Ray ..."
        source = "" if self.address else " (RAY_ADDRESS)"
        return address, f"Joining the Ray cluster at {address}{source} ..."


def run_search(
    space: Space,
    store: RunStore,
    storage: str,
    ray: RayOptions,
    watcher: Watcher,
    logs: Logs = _NO_LOGS,
    *,
    retry_failed: bool = False,
    request: Callable[[], None] = lambda: None,
    adds_trials: bool = False,
) -> Conductor:
    """Run the remaining trials of the search in ``store``, and close the run in any case.

    What a command asks to change in the run is changed when the search begins, or is interrupted
    before: a search that cannot begin (as Ray does not start, or the disk is too full) changes
    nothing.

    Args:
        space: the space to search, which run.json contains once the search has begun.
        store: the run, opened for writing.
        storage: the folder or URI next to which the decoded data is cached.
        ray: where and how trials run.
        watcher: is informed of the progress.
        logs: where to log the trials beside the run's folder; logs that exist are continued.
        retry_failed: whether trials that have failed start again from the beginning.
        request: makes further changes in ``store``.
        adds_trials: whether ``request`` records further trials.

    Raises:
        UserError: the run's folder cannot be written, or Ray cannot run the trials.
        SearchFailed: the first trials have all failed with the same error.
        Interrupted: by Ctrl-C or SIGTERM, once everything is stored.
    """
    try:
        changes = _Changes(store, retry_failed, request, adds_trials)
        conductor = _run(space, store, storage, ray, watcher, logs, changes)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise _cannot_write(store.folder, error) from error
    if conductor.hopeless is not None:
        raise _hopeless(conductor)
    if conductor.out_of_time:
        watcher.note(_out_of_time(conductor))
    gain = conductor.progress.expected_gain
    if ends_search(gain):
        watcher.note(_converged(conductor, gain))
    if not conductor.complete:
        progress = conductor.progress
        raise Interrupted(store.folder.place, progress.ended, progress.total)
    return conductor


class _Changes:
    """What a command asks to change in a run, which is done once."""

    def __init__(
        self,
        store: RunStore,
        retry_failed: bool,
        request: Callable[[], None],
        adds_trials: bool,
    ):
        failed = any(trial.status == "failed" for trial in store.trials.values())
        self._store, self.retries, self._request = store, retry_failed and failed, request
        self.adds_trials, self._made = adds_trials, False

    def make(self, conductor: Conductor) -> None:
        """Make the changes; run.json gets the space, since a resumed search may be larger."""
        if self._made:
            return
        self._made = True
        store, space = self._store, conductor.space.document()
        if Space.from_document(store.meta["space"]).document() != space:
            store.update_meta(space=space)
        before = len(store.trials)
        self._request()
        if self.retries:
            store.retry_failed()
        if self.retries or len(store.trials) > before:
            conductor.reload()


class _Watchers:
    """Informs the watcher, the logs and Ray's metrics of every trial."""

    def __init__(self, watcher: Watcher):
        self._watcher = watcher
        self._logs: list[Log] = []
        self.gauges: RayMetrics | None = None

    def open(self, logs: Logs, store: RunStore) -> None:
        """Open the logs, once trials that are to be trained again have lost their epochs."""
        self._logs = logs.open(store, self._watcher)

    def update(self, trial: Trial) -> None:
        self._watcher.update(trial)
        for log in self._logs:
            log.update(trial)
        if self.gauges is not None:
            self.gauges.update(trial)

    def close(self) -> None:
        for log in self._logs:
            log.close()


def _run(
    space: Space,
    store: RunStore,
    storage: str,
    ray: RayOptions,
    watcher: Watcher,
    logs: Logs,
    changes: _Changes,
) -> Conductor:
    """Run until everything is done or the search is interrupted."""
    cache = cache_of(storage)
    watchers = _Watchers(watcher)
    try:
        conductor = Conductor(space, store, threads=space.resources.cpus, watcher=watchers.update)
    except BaseException:
        store.close()
        raise

    def begin() -> None:
        changes.make(conductor)
        watchers.open(logs, store)

    try:
        if changes.retries or changes.adds_trials or not conductor.complete:
            with _cluster(ray, conductor, storage, watcher, watchers) as url:
                _run_trials(conductor, cache, watcher, url, begin)
        else:
            watchers.open(logs, store)
    except KeyboardInterrupt:
        changes.make(conductor)  # the conductor knows that the search is not complete
    finally:
        # Pressing Ctrl-C again would prevent a clean end.
        with handled({signal.SIGINT: signal.SIG_IGN}):
            conductor.close()
            watchers.close()
    return conductor


@contextmanager
def _cluster(
    ray: RayOptions,
    conductor: Conductor,
    storage: str,
    watcher: Watcher,
    watchers: _Watchers,
) -> Iterator[str | None]:
    """Start or join Ray, check that it can run trials, and yield the dashboard's address."""
    # First: it makes the settings that Ray reads when it is imported.
    from tune_robust.tuning.engine.ray_session import check_nodes, ray_session  # isort: skip
    from tune_robust.tuning.engine.ray_metrics import RayMetrics

    folder = conductor.store.folder
    address, told = ray.cluster()
    watcher.note(f"Run {folder.place}. {told}")
    with ray_session(dashboard=ray.dashboard, verbose=ray.verbose, address=address) as url:
        if url:
            watchers.gauges = RayMetrics(folder.path.name, lambda: conductor.progress)
        if address:
            check_nodes(None if is_uri(storage) else str(folder.path.resolve()))
        yield url


def _run_trials(
    conductor: Conductor,
    cache: Path,
    watcher: Watcher,
    dashboard: str | None,
    begin: Callable[[], None],
) -> None:
    """Run the trials; ``begin`` is called once nothing can prevent it any more."""
    from tune_robust.tuning.engine.ray_backend import run_trials

    space, folder = conductor.space, conductor.store.folder
    slots = slots_of_run(space, folder, cache, watcher)
    check_limits(space, slots)
    conductor.give(slots)
    warning = None if space.has_loop else _check_disk(conductor, cache)
    begin()
    for text in [*folder.read_meta().get("cautions", []), *filter(None, [warning])]:
        watcher.warn(text)
    with (
        watcher.running(conductor.progress, conductor.slots, dashboard),
        folder.noting(dashboard=dashboard),
    ):
        run_trials(conductor, cache)


def _check_disk(conductor: Conductor, cache: Path) -> str | None:
    # Only here: PyTorch, which loops of the user's own may do without.
    from tune_robust.runs.disk import check_disk

    concurrency = conductor.slots.concurrency
    return check_disk(conductor.space, conductor.store.folder, cache, concurrency=concurrency)


def _out_of_time(conductor: Conductor) -> str:
    progress, limit = conductor.progress, conductor.out_of_time
    hours = getattr(conductor.space.budget, str(limit))
    run = run_argument(conductor.store.folder.place)
    return (
        f"The search ends after {progress.ended} of at most {progress.total} trials: another one "
        f"would not finish within budget.{limit}: {hours:g}. To continue it, run:\n"
        f"  tune-robust resume {run} --set budget.{limit}={2 * hours:g}"
    )


def _converged(conductor: Conductor, gain: ExpectedGain) -> str:
    progress, saved = conductor.progress, conductor.progress.left or 0.0
    run = run_argument(conductor.store.folder.place)
    return (
        f"The search ends after {progress.ended} of {progress.total} trials (budget.stop: auto). "
        f"{gain.sentence()} This saves about {saved:.0f} "
        f"{conductor.space.budget.unit.replace('_', ' ')}, {saved / (saved + progress.spent):.0%} "
        f"of the search. To continue it all the same, run:\n"
        f"  tune-robust resume {run} --set budget.stop=never"
    )


def _hopeless(conductor: Conductor) -> SearchFailed:
    failed = conductor.progress.counts["failed"]
    run = run_argument(conductor.store.folder.place)
    return SearchFailed(
        f"the first {failed} trials have all failed with the same error, so the search has "
        f"stopped:\n  {conductor.hopeless}\nSee `tune-robust status {run}`. Once the cause is "
        "removed, train the failed trials again and continue with:\n"
        f"  tune-robust resume {run} --retry-failed"
    )


def _cannot_write(folder: RunFolder, error: OSError) -> UserError:
    why = error.strerror or str(error)
    if error.errno in _FULL:
        why += f" ({shutil.disk_usage(folder.path).free / 1e6:.0f} MB are free there). Make space"
    elif error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        why += ". It was moved or deleted during the run: put it back"
    else:
        why += ". Check the permissions"
    return UserError(
        f"cannot write {error.filename or folder.place}, of the run {folder.place}: {why}, then "
        "continue with the command below. The search has stopped, and what was recorded is kept.\n"
        f"  tune-robust resume {run_argument(folder.place)}"
    )
