"""`tune-robust doctor`: what it finds, how it says so, and its exit code."""

import json

import pytest
from typer.testing import CliRunner

from tests.cli.command import run
from tune_robust.api import doctor
from tune_robust.cli import app
from tune_robust.training import checks
from tune_robust.training.checks import Outcome

ALL_WELL = doctor.Finding("Ray starts", "yes")


def invoke(*arguments):
    return CliRunner().invoke(app, ["doctor", *map(str, arguments)])


@pytest.fixture
def without_ray(monkeypatch):
    monkeypatch.setattr(doctor, "_ray", lambda: ALL_WELL)


def test_versions_devices_and_disk_are_shown(tmp_path, without_ray):
    done = invoke("--storage", tmp_path / "not" / "there" / "yet", "--json")
    findings = {f["about"]: f for f in json.loads(done.stdout)}
    assert done.exit_code == 0
    assert {"python", "torch", "ray", "CPU", "disk", "Ray starts"} <= set(findings)
    assert str(tmp_path) in findings["disk"]["found"]
    assert "torch" in invoke("--storage", tmp_path).stdout


def test_a_full_disk_is_a_failure(tmp_path, without_ray, monkeypatch):
    monkeypatch.setattr(doctor, "LITTLE_DISK_GB", 1e9)
    done = invoke("--storage", tmp_path)
    assert done.exit_code == 1
    assert "too little for checkpoints" in done.stdout


def outcomes(failure):
    return [
        Outcome("sam", "trains", True, None),
        Outcome("sam", "alpha 1", False, None),
        Outcome("saner", "trains", True, failure),
        Outcome("saner", "alpha 1", True, None),
    ]


@pytest.mark.parametrize(("failure", "code"), [(None, 0), ("val_loss not finite", 1)])
def test_methods_are_a_table_of_checks_and_a_failure_is_exit_1(monkeypatch, failure, code):
    monkeypatch.setattr(checks, "check_methods", lambda device: outcomes(failure))
    done = invoke("--methods", "--device", "cpu")
    assert done.exit_code == code
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.split()}
    assert rows["sam"] == ["✓", "·"]
    assert f"{3 - code} of 3 checks passed on cpu" in done.stdout
    if failure:
        assert "saner, trains: val_loss not finite" in done.stdout
    else:
        assert rows["saner"] == ["✓", "✓"]


def test_methods_as_json(monkeypatch):
    monkeypatch.setattr(checks, "check_methods", lambda device: outcomes("bad"))
    done = invoke("--methods", "--device", "cpu", "--json")
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert document["methods"]["sam"] == {"trains": {"passed": True, "failure": None}}
    assert document["methods"]["saner"]["trains"] == {"passed": False, "failure": "bad"}


@pytest.mark.e2e
def test_ray_really_starts(tmp_path):
    done = run("doctor", "--json", cwd=tmp_path)
    findings = {f["about"]: f for f in json.loads(done.stdout)}
    assert findings["Ray starts"]["ok"]
