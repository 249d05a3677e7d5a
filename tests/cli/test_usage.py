"""Mistakes on the command line: exit 2, a message that teaches, nothing written."""

import sys
from types import SimpleNamespace

import pytest
import yaml

from tests.cli.command import run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "--space", "saner_digit"], "Did you mean 'saner_digits'?"),
        (["search", "--space", "saner_digits", "--set", "train.epoch=3"], "Did you mean 'epochs'?"),
        (["search", "--space", "saner_digits", "--name", "../r"], "--name '../r'"),
        (["search", "--space", "saner_digits", "--set", "objective.metric=test_accuracy"], "test"),
        (["search", "--space", "saner_digits", "--warm-start", "r1"], "there is no run 'r1'"),
        (["resume", "r1"], "there is no run 'r1'"),
        (["status", "r1"], "there is no run 'r1'"),
        (["export", "r1"], "there is no run 'r1'"),
        (["report", "r1"], "there is no run 'r1'"),
        (["train", "--config", "none.yaml"], "none.yaml"),
        (["search", "--space", "saner_digits", "--storage", "s3://b/x"], "--storage 's3://b/x'"),
        (["search", "--space", "saner_digits", "--storage", "/proc/x"], "Choose a writable"),
        (["search", "--space", "saner_digits", "--set", "train.batch_size=5000"], "1 to 1150"),
        (["search", "--space", "saner_digits", "--set", "epochs=3"], "Did you mean 'train.epochs'"),
        (["frobnicate"], "No such command"),
    ],
)
def test_a_mistake_is_explained(tmp_path, refused, arguments, message):
    assert message in refused(*arguments)
    assert not (tmp_path / "runs" / "r").exists()


def test_three_mistakes_are_reported_together_each_with_its_path(tmp_path, refused):
    document = {
        "name": "wrong",
        "train": {"method": "sanr", "epochs": 0},
        "search": {"sam.rhoo": {"uniform": [0, 1]}},
    }
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(document))
    message = refused("search", "--space", "wrong.yaml")
    for path in ("train.method", "train.epochs", "search.sam.rhoo"):
        assert path in message


@pytest.mark.e2e
def test_missing_data_names_the_files_before_anything_is_started(tmp_path):
    done = run(
        *("search", "--space", "saner_cifar10", "--data-dir", tmp_path / "none"),
        *("--set", "train.data.download=false", "--name", "r1"),
        cwd=tmp_path,
        code=2,
    )
    assert "cifar-10" in done.stderr
    assert not (tmp_path / "runs" / "r1").exists()


def test_the_end_of_a_ray_that_cannot_be_ended_is_not_waited_for(monkeypatch, refused):
    """Python would wait at its end for a Ray of which a process has died."""
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: True))
    ended = []

    def at_once(code):
        ended.append(code)
        raise SystemExit(code)

    monkeypatch.setattr("os._exit", at_once)
    assert "there is no run 'r1'" in refused("status", "r1")
    assert ended == [2]
