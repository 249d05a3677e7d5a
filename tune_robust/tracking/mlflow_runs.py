"""Trials as runs of MLflow: https://mlflow.org/docs."""

from __future__ import annotations

import json
import logging
import os
import time
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from tune_robust.runs.trial import Trial
from tune_robust.tracking.tracker import numbers

_LONGEST = 6000
"""The characters that MLflow takes of a parameter or tag."""
_EPOCH = "epoch"
_ENVIRONMENT = {
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # --json prints nothing else
    # A server that is gone is noticed in seconds; MLflow's own defaults take many minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
"""How MLflow behaves unless the user has set it otherwise."""


class MlflowRuns:
    """A ``Tracker``. The server or file is MLflow's own choice: MLFLOW_TRACKING_URI.

    The experiment has the name of the search. A metric's step is the trial's gradient evaluations,
    rounded, so that curves compare at equal compute.
    """

    title = "MLflow"

    def __init__(self, group: str):
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self._group = group
        self._client: MlflowClient | None = None
        self._runs: dict[str, str] = {}
        self.place = f"experiment {group!r} at {_tracking_uri()}"

    def start(self, trial: Trial, known: str | None) -> tuple[str, int]:
        """See ``Tracker.start``."""
        client = self._connected()
        last = self._continue(known) if known is not None else None
        if known is None or last is None:
            tags = {"tune_robust.trial": trial.name, "tune_robust.origin": trial.origin}
            run = client.create_run(self._experiment(), run_name=trial.name, tags=tags)
            known, last = run.info.run_id, 0
            parameters = [Param(path, _text(value)) for path, value in trial.values.items()]
            client.log_batch(known, params=parameters)
        self._runs[trial.name] = known
        return known, last

    def log(self, trial: Trial, epoch: int) -> None:
        """See ``Tracker.log``."""
        metrics = numbers(trial.epochs[epoch])
        step, now = round(metrics.get("gradient_evaluations", epoch)), int(time.time() * 1000)
        rows = [Metric(k, v, now, step) for k, v in {**metrics, _EPOCH: float(epoch)}.items()]
        self._connected().log_batch(self._runs[trial.name], metrics=rows)

    def end(self, trial: Trial) -> None:
        """See ``Tracker.end``."""
        client, run = self._connected(), self._runs.pop(trial.name)
        client.set_tag(run, "tune_robust.status", trial.status)
        if trial.error:
            client.set_tag(run, "tune_robust.error", trial.error[-_LONGEST:])
        client.set_terminated(run, "FAILED" if trial.status == "failed" else "FINISHED")

    def close(self) -> None:
        """See ``Tracker.close``."""
        for run in self._runs.values():
            self._connected().set_terminated(run, "KILLED")
        self._runs.clear()

    def _connected(self) -> MlflowClient:
        """Return the client; making one may already wait for the server."""
        if self._client is None:
            self._client = MlflowClient()
        return self._client

    def _experiment(self) -> str:
        client = self._connected()
        found = client.get_experiment_by_name(self._group)
        return client.create_experiment(self._group) if found is None else found.experiment_id

    def _continue(self, run: str) -> int | None:
        """Reopen a run and return its last epoch; None if this server does not have it."""
        client = self._connected()
        try:
            client.update_run(run, status="RUNNING")
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return int(max((m.value for m in client.get_metric_history(run, _EPOCH)), default=0))


def _tracking_uri() -> str:
    import mlflow

    return mlflow.get_tracking_uri()


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:_LONGEST]
