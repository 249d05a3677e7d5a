"""Ray Tune as the backend of a search, which only executes the conductor's decisions.

Ray's own files are in a temporary folder and are not needed later: ``Tuner.restore`` (which loses
rungs, repeats trials and unpickles files) is never called.
"""

from __future__ import annotations

# First: it makes the settings that Ray reads when it is imported.
from tune_robust.tuning.engine.ray_session import (  # isort: skip
    RayLost,
    check_alive,
    live_nodes,
)

import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from ray import tune
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper
from rich.console import Console

from tune_robust.cache_folder import sent
from tune_robust.errors import UserError
from tune_robust.files import is_uri
from tune_robust.formatting import short, visible
from tune_robust.metrics import METRICS
from tune_robust.own import Code, functions
from tune_robust.runs.naming import run_argument
from tune_robust.runs.trial import Trial
from tune_robust.spaces.space import Space
from tune_robust.tuning.engine.conductor import Conductor, Decision
from tune_robust.tuning.engine.ray_death import watched_ray
from tune_robust.tuning.engine.runner import Runner
from tune_robust.tuning.engine.signals import handled
from tune_robust.tuning.engine.slots import fit_slots

_log = logging.getLogger(__name__)
_LOOKS_EVERY = 2.0
"""Seconds between two checks of the nodes."""
LONG = 300.0
"""Trials of at least this many seconds have their own process, which Ray labels as the trial.

Starting a process takes about 5 s; shorter trials reuse the process of the previous one.
"""
_CREDENTIALS = ("AWS_", "AZURE_", "GOOGLE_")
"""Prefixes of environment variables that the file systems of object stores read."""


def run_trials(conductor: Conductor, cache: Path) -> None:
    """Run all remaining trials, or until interrupted (then this returns normally).

    If Ray has died and a call does not return, this process ends, as Ray would soon do itself.

    Raises:
        UserError: Ray itself has died; its trials are interrupted and can be resumed.
        OSError: the run's storage cannot be written.
    """
    storage = _Storage()
    # At the end, Tune counts a trial that continued elsewhere as incomplete.
    logging.getLogger("ray.tune.tune").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="tune-robust-") as rays_own:
        tuner = tune.Tuner(
            _with_what_it_needs(conductor),
            tune_config=tune.TuneConfig(
                search_alg=_Proposals(conductor, cache, storage),
                scheduler=_Decisions(conductor, storage),
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
            ),
            run_config=tune.RunConfig(
                name=conductor.store.folder.path.name,
                storage_path=rays_own,
                stop=storage,
                failure_config=tune.FailureConfig(max_failures=0),  # the conductor retries
                # Trials checkpoint into the run's folder themselves.
                checkpoint_config=tune.CheckpointConfig(
                    checkpoint_frequency=0, checkpoint_at_end=False
                ),
                verbose=0,
                # In a notebook, Tune would choose a reporter that clears what the cell has shown.
                progress_reporter=tune.CLIReporter(),
            ),
        )
        try:
            with _signals_as_ctrl_c(), watched_ray(lambda lost: _end_process(conductor, lost)):
                tuner.fit()
        except RayLost as error:
            raise _lost(conductor, str(error)) from None
    if storage.error is not None:
        raise storage.error


class _Storage(Stopper):
    """Ends the search, without failing its trials, if the run's storage cannot be written."""

    def __init__(self) -> None:
        self.error: OSError | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Record errors inside, which Ray would turn into an obscure error of its own."""
        try:
            yield
        except OSError as error:
            self.error = error

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        check_alive()
        return self.error is not None


def _with_what_it_needs(conductor: Conductor) -> type[Runner]:
    """Pass the code of the user's own parts and the credentials of remote storage to the trials.

    By Ray's object store alone: a runtime environment would show credentials in the dashboard, and
    write them into Ray's log files.
    """
    code, remote = Code.of(conductor.store.meta), is_uri(conductor.store.folder.place)
    runner, given = _runner(conductor.space), own_functions(conductor.space)
    if code is None and not remote and not given:
        return runner
    environment = os.environ.items() if remote else ()
    held = {name: value for name, value in environment if name.startswith(_CREDENTIALS)}
    return tune.with_parameters(runner, environment=held, code=code, functions=given)


def _runner(space: Space) -> type[Runner]:
    """What runs its trials; a loop of the user's own may do without PyTorch, and so does this."""
    if space.has_loop:
        from tune_robust.tuning.engine.loop_runner import LoopRunner

        return LoopRunner
    from tune_robust.tuning.engine.trainable import TrialRunner

    return TrialRunner


def own_functions(space: Space) -> dict[str, Any]:
    """The functions that were given as such, by their names."""
    return {name: functions[name] for name in space.own_parts if name in functions}


def _name(trial: tune.experiment.Trial) -> str:
    return trial.config["trial"]


class _Proposals(Searcher):
    """Passes the conductor's next trial to Ray."""

    def __init__(self, conductor: Conductor, cache: Path, storage: _Storage):
        super().__init__()
        self._conductor, self._cache, self._storage = conductor, cache, storage
        self._nodes, self._looked = live_nodes(), time.monotonic()
        self._long = False

    # Ray's own annotation omits FINISHED, which is a string.
    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        check_alive()
        trial = None
        with self._storage.watched():
            self._fit_to_nodes()
            trial = self._conductor.next_trial()
        if trial is not None:
            return _job(trial, self._conductor, self._cache, alone=self._long)
        # None lets Ray ask again, since a running trial may have to be retried.
        waits = self._conductor.running and not self._storage.stop_all()
        return None if waits else Searcher.FINISHED

    def _fit_to_nodes(self) -> None:
        """Use the nodes that are available now, since nodes of a cluster join and leave."""
        if time.monotonic() - self._looked < _LOOKS_EVERY:
            return
        nodes, self._looked = live_nodes(), time.monotonic()
        if nodes and nodes != self._nodes:
            self._nodes = nodes
            wanted, given = self._conductor.space.resources, self._conductor.given
            gpus = given.gpus if wanted.gpus == "auto" else wanted.gpus
            with suppress(UserError):  # of trials too large for the nodes left: Ray waits for more
                self._conductor.give(fit_slots(wanted, gpus, nodes))

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Record how long trials take."""
        self._long = self._long or result["time_total_s"] >= LONG

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Do nothing: the scheduler has told the conductor already."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Do nothing: the run store contains everything."""

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Ray pickles its searcher into a file that is never read."""
        return {}


class _Decisions(FIFOScheduler):
    """Passes each result to the conductor, and the decision to Ray."""

    def __init__(self, conductor: Conductor, storage: _Storage):
        super().__init__()
        self._conductor, self._storage = conductor, storage

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        with self._storage.watched():
            return self._decision(trial.config["trial"], result)
        return self.STOP

    def _decision(self, name: str, result: dict[str, Any]) -> str:
        if "unsaved" in result:
            raise OSError(*result["unsaved"])
        if result.get("out_of_memory"):
            self._conductor.out_of_memory(name, result["error"])
            return self.STOP
        if "error" in result:
            self._conductor.end(name, "failed", result["error"])
            return self.STOP
        if "note" in result:
            self._conductor.note(name, result["note"])
            return self.CONTINUE
        if "returned" in result:
            self._conductor.end(name, "done")
            return self.STOP
        metrics = metrics_of(result)
        decision = self._conductor.on_epoch(
            name, result["epoch"], metrics, reliability=result.get("reliability")
        )
        return self.STOP if decision is Decision.END else self.CONTINUE

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        if not trial.should_recover():  # Ray itself restarts a preempted actor
            with self._storage.watched():
                self._conductor.process_lost(trial.config["trial"], _why_lost(trial))

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Ray pickles its scheduler into a file that is never read."""
        return {}


def metrics_of(result: dict[str, Any]) -> dict[str, float | None]:
    """Return the metrics in a result as Ray hands it to a scheduler, nested mappings flattened.

    Those of a loop of the user's own have any names, and come in a mapping of their own.
    """
    own = "metrics/"
    found = {k.removeprefix(own): value for k, value in result.items() if k.startswith(own)}
    return found or {key: value for key, value in result.items() if key in METRICS}


_LOST = {
    "ProcessLost": "one of its processes was killed, by a user or because the memory was full",
    "OutOfMemoryError": "the machine's memory was full",
    # Before the others: Ray goes on to list their signs as common causes, whatever the cause was.
    "connection error code 2": "it ended unexpectedly, perhaps killed or out of memory",
    "killed by SIGKILL": "it was killed (SIGKILL), by a user or because the memory was full",
    "SIGSEGV": "it crashed (SIGSEGV)",
    "The node was terminated": "its node was terminated",
    "node has been marked dead": "its node is gone",
    "preempted": "its node was preempted",
}
"""Parts of Ray's message about a lost process, and their meaning in a sentence."""


def _why_lost(trial: tune.experiment.Trial) -> str:
    """Return briefly why its process was lost; Ray's complete message goes to the log."""
    noted = Path(trial.error_file).read_text().rpartition("Failure #")[2].splitlines()[1:]
    said = " ".join(line.strip() for line in noted if line.strip())
    _log.info("%s was lost: %s", trial, said)
    known = (words for sign, words in _LOST.items() if sign in said)
    return next(known, f"{said.partition('. ')[0][:120].rstrip('.')}" or "Ray gave no reason")


def _job(trial: Trial, conductor: Conductor, cache: Path, *, alone: bool) -> dict[str, Any]:
    """Return as plain data what an actor needs for a trial, ``alone`` in its process or not."""
    settings = " ".join(f"{path}={short(value)}" for path, value in trial.values.items())
    return {
        "run": conductor.store.folder.id,
        "trial": trial.name,
        "label": f"{trial.name} {settings}".strip(),
        "config": trial.config,
        "checkpoints": conductor.store.folder.checkpoints(trial.name),
        "predictions": {
            "place": conductor.store.folder.predictions,
            "moments": list(conductor.space.record.predictions),
        },
        "cache": sent(cache),
        "objective": asdict(conductor.objective),
        "known": trial.epoch,
        "continues": trial.continues and (trial.continues.trial, trial.continues.epoch),
        "cpus": conductor.slots.cpus,
        "gpus": conductor.slots.gpus,
        "processes": 1 if conductor.space.has_loop else conductor.slots.processes,
        "process": trial.number + 1 if alone else 0,
    }


def _lost(conductor: Conductor, process: str) -> UserError:
    run = run_argument(conductor.store.folder.place)
    return UserError(
        f"Ray's process {process!r} has died, and the running trials with it: it was killed, by a "
        "user or because the memory was full. Nothing that was recorded is lost. Continue with:\n"
        f"  tune-robust resume {run}"
    )


def _end_process(conductor: Conductor, lost: RayLost) -> None:
    """Store everything, print the reason and exit, since a call into Ray does not return."""
    error = _lost(conductor, str(lost))
    with suppress(Exception):  # running trials count as interrupted in any case
        conductor.close()
    Console().show_cursor()  # a live display hides it
    sys.stdout.flush()
    print(f"Error: {visible(str(error))}", file=sys.stderr, flush=True)
    os._exit(error.exit_code)


_ENDS = (signal.SIGTERM, signal.SIGHUP)
"""The signals with which Slurm, spot instances and closed terminals end a process."""


def _interrupt(_: int, frame: FrameType | None) -> None:
    """Do what Ctrl-C does, also where a shell made it ignored (a command in its background)."""
    handler = signal.getsignal(signal.SIGINT)
    (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)


def _signals_as_ctrl_c() -> AbstractContextManager[None]:
    """Treat these signals like Ctrl-C, and leave all handlers as they were: Ray Tune does not."""
    own = {signal.SIGINT: signal.getsignal(signal.SIGINT)}
    return handled(own | dict.fromkeys(_ENDS, _interrupt))
