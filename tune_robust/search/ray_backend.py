"""Ray Tune as the backend of a search: it executes what the conductor decides, and no more.

Nothing of Ray's is needed again: its folder is cleared at each start, and ``Tuner.restore`` (which
loses rungs, repeats trials and unpickles files) is never called.
"""

from __future__ import annotations

import os
import shutil
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
for _name, _value in _SETTINGS.items():
    # Ray reads its settings when it is imported.
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray.tune.schedulers import FIFOScheduler  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402

from tune_robust.metrics import METRICS  # noqa: E402
from tune_robust.search.conductor import Conductor, Decision  # noqa: E402
from tune_robust.search.store import Trial  # noqa: E402
from tune_robust.search.trainable import TrialRunner  # noqa: E402

RETRIES = 2
"""How often a trial whose process was lost goes on from its last checkpoint."""


@dataclass(frozen=True)
class Slots:
    """What each trial gets, and how many run at a time."""

    cpus: int
    gpus: float
    concurrency: int


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


def fit_slots(cpus: int, gpus: float, concurrency: int | None) -> Slots:
    """As many trials at a time as the machine holds; without a GPU they run on the CPU."""
    have = ray.cluster_resources()
    gpus = gpus if have.get("GPU", 0) else 0.0
    cpus = min(cpus, int(have["CPU"]))
    holds = int(have["CPU"] // cpus)
    if gpus:
        holds = min(holds, int(have["GPU"] // gpus))
    return Slots(cpus, gpus, max(1, min(holds, concurrency or holds)))


def run_trials(conductor: Conductor, slots: Slots, cache: Path) -> None:
    """Run until nothing remains, or until interrupted (then this returns normally)."""
    folder = conductor.store.folder
    shutil.rmtree(folder.ray, ignore_errors=True)
    tuner = tune.Tuner(
        tune.with_resources(TrialRunner, {"cpu": slots.cpus, "gpu": slots.gpus}),
        tune_config=tune.TuneConfig(
            search_alg=_Proposals(conductor, cache),
            scheduler=_Decisions(conductor),
            num_samples=conductor.standing.remaining,
            max_concurrent_trials=slots.concurrency,
            reuse_actors=True,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name=folder.ray.name,
            storage_path=str(folder.path.resolve()),
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            # Trials checkpoint into the run's folder themselves.
            checkpoint_config=tune.CheckpointConfig(
                checkpoint_frequency=0, checkpoint_at_end=False
            ),
            verbose=0,
        ),
    )
    with _sigterm_as_ctrl_c():
        tuner.fit()


def _name(trial: tune.experiment.Trial) -> str:
    return trial.config["trial"]


class _Proposals(Searcher):
    """Hands Ray the conductor's next trial."""

    def __init__(self, conductor: Conductor, cache: Path):
        super().__init__()
        self._conductor, self._cache = conductor, cache

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        trial = self._conductor.next_trial()
        if trial is None:
            return Searcher.FINISHED
        return _job(trial, self._conductor, self._cache)

    def on_trial_complete(self, trial_id: str, result: dict | None = None, error: bool = False):
        """The scheduler has told the conductor already."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """The run store has it all."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray pickles its searcher into a file that is never read."""
        return {}


class _Decisions(FIFOScheduler):
    """Hands the conductor each result, and Ray its decision."""

    def __init__(self, conductor: Conductor):
        super().__init__()
        self._conductor = conductor

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        name = trial.config["trial"]
        if "error" in result:
            self._conductor.end(name, "failed", result["error"])
            return self.STOP
        metrics = {key: value for key, value in result.items() if key in METRICS}
        decision = self._conductor.on_epoch(name, result["epoch"], metrics)
        return self.STOP if decision is Decision.END else self.CONTINUE

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        lost = trial.get_error()
        self._conductor.end(trial.config["trial"], "failed", str(lost).strip() or "process lost")

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
        "checkpoints": str(conductor.store.folder.checkpoints(trial.name).resolve()),
        "cache": str(cache.resolve()),
        "objective": asdict(conductor.objective),
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
