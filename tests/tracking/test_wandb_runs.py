"""Weights & Biases, offline: its files have each trial as a run, whole after each resumption."""

import json
import struct

import pytest

from tests.tuning.simulated import peak, simulate, space
from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials
from tune_robust.tracking.background import Tracking
from tune_robust.tracking.tracker import check_tracker

pytestmark = pytest.mark.slow


BLOCK = 32768
BUDGET = {"trials": 3, "scheduler": "none"}


def wandb_runs(*arguments):
    from tune_robust.tracking.wandb_runs import WandbRuns  # here, since W&B takes seconds

    return WandbRuns(*arguments)


@pytest.fixture
def wandb_mode(monkeypatch, tmp_path):
    """Sets the mode; W&B reads its environment once."""
    for name in ("WANDB_API_KEY", "WANDB_PROJECT", "WANDB_ENTITY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    def set_mode(mode):
        _teardown()
        monkeypatch.setenv("WANDB_MODE", mode)

    yield set_mode
    _teardown()


def _teardown():
    import wandb  # here, since it takes seconds

    wandb.teardown()


def records(path):
    """The records of a run's file: LevelDB's log format after a header of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, found, part = path.read_bytes(), 7, [], b""
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        part += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            found.append(Record.FromString(part))
            part = b""
    return found


def runs(folder):
    """All that was written, by session and trial: the run, its history, its exit code."""
    found = {}
    for path in sorted(folder.path.glob("*wandb/offline-run-*/*.wandb")):
        written = records(path)
        (run,) = [r.run for r in written if r.HasField("run")][:1]
        history = [
            {item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
            for record in written
            if record.HasField("history")
        ]
        exits = [r.exit.exit_code for r in written if r.HasField("exit")]
        found.setdefault(run.display_name, []).append((run, history, exits[-1] if exits else None))
    # Runs that begin within one second lie in an order of their own.
    return dict(sorted(found.items()))


def log(folder, trials):
    tracking = Tracking(wandb_runs("first", folder), folder.tracking("wandb"), pytest.fail)
    tracking.open(trials.values())
    tracking.close()
    _teardown()  # as when the process ends: W&B's own one has then written everything


def test_an_offline_search_is_logged_and_its_resumption_continues_the_same_runs(
    tmp_path, wandb_mode
):
    wandb_mode("offline")
    folder = RunFolder(tmp_path / "first")
    searched = space(budget=BUDGET)
    simulate(searched, folder.path, stop_after=8)  # in the midst of the second trial
    trials = read_trials(folder)
    trials["t0002"].status = "running"  # as the process saw it that was killed
    log(folder, trials)
    assert [*runs(folder)] == ["t0001", "t0002"]
    # Its folders have the time in seconds in their names, and this test is faster.
    (folder.path / "wandb").rename(folder.path / "earlier-wandb")
    simulate(searched, folder.path)
    trials = read_trials(folder)
    log(folder, trials)
    after = runs(folder)
    assert {name: len(found) for name, found in after.items()} == {
        "t0001": 1,
        "t0002": 2,
        "t0003": 1,
    }
    assert after["t0002"][0][0].run_id == after["t0002"][1][0].run_id
    for name, trial in trials.items():
        run, history, code = after[name][-1]
        assert (run.project, run.run_group, run.job_type) == ("tune-robust", "first", trial.origin)
        config = {item.key: json.loads(item.value_json) for item in run.config.update}
        assert config["searched"] == trial.values
        assert config["sam"]["rho"] == trial.config["sam"]["rho"]
        names = ("epoch", "gradient_evaluations", "val_accuracy")
        assert [tuple(row[name] for name in names) for row in history] == [
            (epoch, 2 * epoch, pytest.approx(peak(trial, epoch))) for epoch in sorted(trial.epochs)
        ]
        assert code == 0


def test_without_an_api_key_it_is_an_error_before_the_search(wandb_mode):
    wandb_mode("online")
    with pytest.raises(UserError, match="no API key") as told:
        check_tracker("wandb")
    assert "`wandb login`" in str(told.value)
    assert "WANDB_MODE=offline" in str(told.value)


def test_how_to_upload_an_offline_run_is_said(tmp_path, wandb_mode):
    wandb_mode("offline")
    check_tracker("wandb")
    place = wandb_runs("first", RunFolder(tmp_path)).place
    assert place.startswith("project 'tune-robust', group 'first', offline")
    assert f"`wandb sync {tmp_path}/wandb/offline-*`" in place
