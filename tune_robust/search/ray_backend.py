"""Ray Tune as the backend of a search: it executes what the conductor decides, and no more.

Nothing of Ray's is needed again: its files lie in a temporary folder, and ``Tuner.restore`` (which
loses rungs, repeats trials and unpickles files) is never called.
"""

from __future__ import annotations

import os
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

_SETTINGS = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a trial that asks for no GPU sees none
    "RAY_AUTH_MODE": "token",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_MAX_PENDING_TRIALS_PG": "1024",  # the conductor alone limits how many run
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
for _name, _value in _SETTINGS.items():
    # Ray reads its settings when it is imported.
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray.tune.schedulers import FIFOScheduler  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402
from ray.tune.stopper import Stopper  # noqa: E402

from tune_robust.metrics import METRICS  # noqa: E402
from tune_robust.search.conductor import Conductor, Decision  # noqa: E402
from tune_robust.search.store import Trial  # noqa: E402
from tune_robust.search.trainable import TrialRunner  # noqa: E402


@contextmanager
def ray_session(*, dashboard: bool, verbose: bool) -> Iterator[str | None]:
    """Ray on this machine alone, with its token authentication on; yields the dashboard's URL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = ray.init(
            address="local",
            include_dashboard=dashboard,
            log_to_driver=verbose,
            logging_level="INFO" if verbose else "ERROR",
        )
    _protect_token()
    try:
        yield f"http://{context.dashboard_url}" if context.dashboard_url else None
    finally:
        ray.shutdown()


def _protect_token() -> None:
    """Ray writes its token readable by everyone."""
    token = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")).expanduser()
    if token.exists():
        token.chmod(0o600)


def machine_size() -> tuple[int, int]:
    """CPUs and GPUs that Ray has."""
    have = ray.cluster_resources()
    return int(have["CPU"]), int(have.get("GPU", 0))


def run_trials(conductor: Conductor, cache: Path) -> None:
    """Run until nothing remains, or until interrupted (then this returns normally).

    Raises:
        OSError: when the run's storage cannot be written to.
    """
    storage = _Storage()
    with tempfile.TemporaryDirectory(prefix="tune-robust-") as rays_own:
        tuner = tune.Tuner(
            tune.with_resources(TrialRunner, _resources),
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
            ),
        )
        with _sigterm_as_ctrl_c():
            tuner.fit()
    if storage.error is not None:
        raise storage.error


class _Storage(Stopper):
    """Ends the search, trials unharmed, as soon as the run's storage cannot be written to."""

    def __init__(self):
        self.error: OSError | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Notes what goes wrong inside; Ray would make an obscure error of its own of it."""
        try:
            yield
        except OSError as error:
            self.error = error

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.error is not None


def _resources(job: dict[str, Any]) -> tune.PlacementGroupFactory:
    return tune.PlacementGroupFactory([{"CPU": job["cpus"], "GPU": job["gpus"]}])


def _name(trial: tune.experiment.Trial) -> str:
    return trial.config["trial"]


class _Proposals(Searcher):
    """Hands Ray the conductor's next trial."""

    def __init__(self, conductor: Conductor, cache: Path, storage: _Storage):
        super().__init__()
        self._conductor, self._cache, self._storage = conductor, cache, storage

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        trial = None
        with self._storage.watched():
            trial = self._conductor.next_trial()
        if trial is not None:
            return _job(trial, self._conductor, self._cache)
        # None asks Ray to come again: a trial that runs may yet have to be retried.
        waits = self._conductor.running and not self._storage.stop_all()
        return None if waits else Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: dict | None = None, error: bool = False):
        """The scheduler has told the conductor already."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """The run store has it all."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray pickles its searcher into a file that is never read."""
        return {}


class _Decisions(FIFOScheduler):
    """Hands the conductor each result, and Ray its decision."""

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
        metrics = {key: value for key, value in result.items() if key in METRICS}
        decision = self._conductor.on_epoch(
            name, result["epoch"], metrics, reliability=result.get("reliability")
        )
        return self.STOP if decision is Decision.END else self.CONTINUE

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        if not trial.should_recover():  # a preempted actor Ray starts again by itself
            reason = str(trial.get_error() or "").strip().partition("\n")[0]
            with self._storage.watched():
                self._conductor.process_lost(trial.config["trial"], reason or "no reason given")

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray pickles its scheduler into a file that is never read."""
        return {}


def _job(trial: Trial, conductor: Conductor, cache: Path) -> dict[str, Any]:
    """Plain data: all that an actor needs for one trial."""
    settings = " ".join(f"{path}={_short(value)}" for path, value in trial.values.items())
    return {
        "trial": trial.name,
        "label": f"{trial.name} {settings}".strip(),
        "config": trial.config,
        "checkpoints": conductor.store.folder.checkpoints(trial.name),
        "cache": str(cache.resolve()),
        "objective": asdict(conductor.objective),
        "cpus": conductor.slots.cpus,
        "gpus": conductor.slots.gpus,
    }


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Slurm and spot instances end a job with SIGTERM: stop as cleanly as on Ctrl-C."""
    before = signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
