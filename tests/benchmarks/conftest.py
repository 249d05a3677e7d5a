"""The scripts of benchmarks/: imported by name, or run as the command runs them."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from tests.cli.command import run

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True, scope="package")
def _importable():
    """The scripts import each other by name, and the tests import them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield


@pytest.fixture
def script(monkeypatch, capsys):
    """``script(name, *arguments)``: what the command prints on standard output.

    It runs in this process, which has imported PyTorch already: a process of its own would spend
    most of its time on that.
    """

    def script(name, *arguments):
        path = BENCHMARKS / name
        monkeypatch.setattr(sys, "argv", [str(path), *arguments])
        capsys.readouterr()
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    return script


@pytest.fixture
def measured(script):
    """``measured(name, *arguments)``: the object that the command prints with ``--json``."""
    return lambda name, *arguments: json.loads(script(name, "--json", *arguments))


@pytest.fixture
def measured_by(monkeypatch, capsys):
    """``measured_by(module, *arguments)``: the same of a script imported and partly replaced."""

    def measured(module, *arguments):
        monkeypatch.setattr(sys, "argv", [module.__file__, "--json", *arguments])
        capsys.readouterr()
        module.main()
        return json.loads(capsys.readouterr().out)

    return measured


@pytest.fixture
def measured_apart(tmp_path):
    """The same in a process of its own; it is forked, and so are those that it starts."""

    def measured(name, *arguments):
        done = run(*arguments, "--json", program=BENCHMARKS / name, cwd=tmp_path)
        return json.loads(done.stdout)

    return measured
