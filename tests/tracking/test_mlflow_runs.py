"""MLflow, with its runs in files: an experiment per search, and a run per trial."""

import os
import sys
import urllib.request
from contextlib import suppress

import pytest

from tests.cli.command import Started
from tests.cluster import free_port
from tests.tuning.simulated import peak, simulate, space
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials
from tune_robust.runs.store import RunStore
from tune_robust.tracking.background import Tracking

pytestmark = pytest.mark.slow

BUDGET = {"trials": 3, "scheduler": "none"}


def mlflow_runs(group):
    from tune_robust.tracking.mlflow_runs import MlflowRuns  # here, since MLflow takes seconds

    return MlflowRuns(group)


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return tmp_path_factory.mktemp("mlflow").as_uri()


@pytest.fixture
def client(uri, monkeypatch):
    import mlflow  # here, since it takes seconds

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(before)


def runs(client, group):
    experiment = client.get_experiment_by_name(group)
    found = client.search_runs([experiment.experiment_id])
    return {run.info.run_name: run for run in found}


def log(folder, group, trials):
    tracking = Tracking(mlflow_runs(group), folder.tracking("mlflow"), pytest.fail)
    tracking.open(trials.values())
    tracking.close()


def test_a_search_is_logged_and_its_resumption_continues_the_same_runs(tmp_path, client):
    folder, searched = RunFolder(tmp_path / "first"), space(budget=BUDGET)
    simulate(searched, folder.path, stop_after=8)  # in the midst of the second trial
    trials = read_trials(folder)
    trials["t0002"].status = "running"  # as the process saw it that was killed
    log(folder, "first", trials)
    begun = runs(client, "first")
    assert {name: run.info.status for name, run in begun.items()} == {
        "t0001": "FINISHED",
        "t0002": "KILLED",
    }
    simulate(searched, folder.path)
    trials = read_trials(folder)
    log(folder, "first", trials)
    after = runs(client, "first")
    assert {name: run.info.run_id for name, run in begun.items()}.items() <= {
        name: run.info.run_id for name, run in after.items()
    }.items()
    assert after.keys() == trials.keys()
    for name, run in after.items():
        trial = trials[name]
        history = client.get_metric_history(run.info.run_id, "val_accuracy")
        assert [(m.step, m.value) for m in history] == [
            (2 * e, pytest.approx(peak(trial, e))) for e in sorted(trial.epochs)
        ]
        assert run.data.params == {path: str(value) for path, value in trial.values.items()}
        assert run.data.tags["tune_robust.status"] == trial.status
        assert run.info.status == "FINISHED"


def test_a_failed_trial_and_its_retry_are_two_runs(tmp_path, client):
    folder, searched = RunFolder(tmp_path / "second"), space(budget={"trials": 1})
    simulate(searched, folder.path, lambda trial, epoch: None)
    log(folder, "second", read_trials(folder))
    (failed,) = runs(client, "second").values()
    assert failed.info.status == "FAILED"
    assert "val_accuracy is not finite" in failed.data.tags["tune_robust.error"]
    store = RunStore(folder)
    store.retry_failed()
    store.close()
    simulate(searched, folder.path)
    log(folder, "second", read_trials(folder))
    experiment = client.get_experiment_by_name("second")
    found = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.status for run in found) == ["FAILED", "FINISHED"]


def test_nothing_is_printed_and_a_lost_server_is_noticed_soon(monkeypatch):
    monkeypatch.delenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    mlflow_runs("fourth")
    assert os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] == "true"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"


def test_a_trial_that_another_server_has_begun_is_logged_whole_on_this_one(client):
    from tests.tracking.test_background import running

    trial = running([1, 2])
    _, last = mlflow_runs("third").start(trial, "0" * 32)
    assert last == 0


@pytest.fixture
def server(tmp_path, client):
    """A server of MLflow's on the loopback interface, which the client uses."""
    import mlflow

    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", (tmp_path / "store").as_uri()]
    started = Started(cwd=tmp_path, command=command)
    started.wait_until(lambda: _answers(f"{url}/health"), every=0.2)
    mlflow.set_tracking_uri(url)
    yield started
    if started in Started.left:
        started.kill_tree()


def _answers(url):
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return answer.status == 200
    return False


@pytest.mark.e2e
def test_a_server_that_is_lost_is_said_once_and_stops_nothing(tmp_path, server):
    import mlflow

    folder, said = RunFolder(tmp_path / "served"), []
    simulate(space(budget=BUDGET), folder.path)
    trials = read_trials(folder)
    log(folder, "served", trials)
    assert runs(mlflow.MlflowClient(), "served").keys() == trials.keys()

    tracking = Tracking(mlflow_runs("lost"), folder.tracking("lost"), said.append)
    server.kill_tree()
    tracking.open(trials.values())
    tracking.close()
    assert len(said) == 1
    assert "MLflow" in said[0]
