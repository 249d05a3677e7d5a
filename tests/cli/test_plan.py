"""The real command: it times real steps, says what they come to, and runs nothing."""

import json

import pytest
import yaml

from tests.cli.command import run

pytestmark = pytest.mark.e2e

SPACE = {
    "name": "tiny",
    "train": {
        "data": {"dataset": "digits", "noise": {"kind": "symmetric", "rate": 0.95}},
        "model": {"name": "small_cnn", "width": 0.25},
        "method": "saner",
        "epochs": 6,
        "batch_size": 64,
    },
    "search": {"sam.rho": {"log_uniform": [0.1, 1.0]}},
    "baselines": [{"method": "sgd"}],
    "budget": {"trials": 9, "scheduler": "asha", "grace": 4, "reduction": 2},
    "resources": {"cpus": 1, "concurrency": 1},
}


@pytest.fixture
def space(tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(SPACE))
    return "tiny.yaml"


def test_times_rungs_disk_and_money(tmp_path, space):
    arguments = ("plan", "--space", space, "--seconds", 0.2, "--price", 2.5)
    found = json.loads(run(*arguments, "--json", cwd=tmp_path).stdout)
    assert [kind["epochs"] for kind in found["kinds"]] == [12, 6]
    assert [kind["gradient_evaluations"] for kind in found["kinds"]] == [12, 12]
    assert all(kind["seconds_per_gradient_evaluation"] > 0 for kind in found["kinds"])
    full, expected = found["without_stopping"], found["expected"]
    assert full["gradient_evaluations"] == 120 > expected["gradient_evaluations"]
    assert full["money"] == pytest.approx(2.5 * full["hours"])
    training = sum(kind["seconds"] * n for kind, n in zip(found["kinds"], (1, 9), strict=True))
    assert 3600 * full["hours"] == pytest.approx(training + found["start_seconds"])
    assert [rung["resource"] for rung in found["rungs"]] == [4, 8]
    assert found["rungs"][0]["reach"] == 9
    assert found["checkpoints_bytes"] > found["checkpoint_bytes"] > 10_000
    assert found["data_bytes"] == 1797 * (64 + 8)
    assert found["images"] == {"bytes": 1797 * 64, "tier": "device"}
    assert 10_000 < found["predictions_bytes"] < found["checkpoints_bytes"]
    assert "more than 1 - 1/K = 90.0%" in found["cautions"][0]
    assert found["slots"] == {"cpus": 1, "gpus": 0.0, "concurrency": 1, "processes": 1}
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [".data"]

    shown = run(*arguments, cwd=tmp_path).stdout
    for promised in (
        "saner, small_cnn x0.25",
        "1 at a time, 1 CPU each",
        "Expected with asha",
        "Images: 115 kB in each trial, mapped into memory from the decoded file.",
        "cost",
        "Warning: 95.0% of the training labels are wrong",
    ):
        assert promised in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--space", "saner_digit"], "Did you mean 'saner_digits'?"),
        (["--space", "tiny.yaml", "--set", "train.epoch=3"], "Did you mean 'epochs'?"),
        (["--space", "tiny.yaml", "--set", "train.batch_size=5000"], "1 to 1294"),
        (["--space", "saner_cifar10", "--data-dir", "none", "--no-download"], "cifar-10"),
    ],
)
@pytest.mark.usefixtures("space")
def test_a_mistake_is_explained(refused, arguments, message):
    assert message in refused("plan", *arguments)
