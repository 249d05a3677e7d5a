"""A forked command is a process of its own, as a started one is."""

import os
import signal

import pytest

from tests.cli.command import run
from tests.cli.forked import can_be_forked, start

pytestmark = pytest.mark.e2e

PROGRAM = """
import os, sys, time
print(os.getcwd(), os.environ["ONLY_HERE"], sys.argv[1:], __name__, "torch" in sys.modules)
print("a mistake", file=sys.stderr)
sys.exit(3)
"""


@pytest.fixture
def program(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path / "program.py"


@pytest.mark.parametrize("forked", [True, False])
def test_its_folder_environment_arguments_outputs_and_exit_code_are_its_own(
    tmp_path, program, monkeypatch, forked
):
    monkeypatch.setenv("ONLY_HERE", "here")
    if not forked:
        monkeypatch.setenv("RAY_SOMETHING", "else")  # which Ray would read when it is imported
    done = run("a", 1, cwd=tmp_path, program=program, code=3)
    assert done.stdout == f"{tmp_path} here ['a', '1'] __main__ {forked}\n"
    assert done.stderr == "a mistake\n"


def test_a_signal_ends_it_and_is_its_exit_code(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import time; time.sleep(60)")
    process = start([], tmp_path, dict(os.environ), program=program)
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    assert process.communicate(30) == ("", "")
    assert process.wait() == -signal.SIGKILL


def test_what_is_read_by_imports_needs_a_new_interpreter(monkeypatch):
    monkeypatch.setenv("ONLY_HERE", "here")
    assert can_be_forked()
    monkeypatch.setenv("RAY_SOMETHING", "else")
    assert not can_be_forked()


def test_a_command_that_it_starts_is_forked_and_writes_into_its_pipe(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import subprocess, sys\n"
        "command = [sys.executable, '-m', 'tune_robust', '--version']\n"
        "print(open(sys.executable).read(2), subprocess.check_output(command, text=True))\n"
    )
    assert run(cwd=tmp_path, program=program).stdout.startswith("#! tune-robust ")
