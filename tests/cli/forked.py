"""Commands that start at once: forked from a process that has imported all that they need.

Imports take up to five seconds of CPU, more than most commands of the tests do themselves. A forked
command is otherwise like any other: a process with its own signals, folder, environment and output,
and an interpreter that ends.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, NamedTuple

from tests.cli.fork_client import LARGEST, ask


class Modules(NamedTuple):
    """What is imported before a command, and the processes of its trials, are forked."""

    name: str
    shared: tuple[str, ...]
    trials: tuple[str, ...]
    commands: tuple[str, ...]


_RUNS = ("tune_robust.own", "tune_robust.runs.checkpoints", "tune_robust.runs.predictions")
_COMMANDS = (
    "tune_robust.cli",
    "tune_robust.api",
    "tune_robust.tuning.engine.ray_backend",
    "analysis.report.page",
    "tests.cli.warm",
)
WITHOUT_TORCH = Modules("without-torch", _RUNS, ("numpy",), _COMMANDS)
EVERYTHING = Modules(
    "everything",
    (*_RUNS, "torch", "tune_robust.data", "tune_robust.training"),
    ("torch._dynamo",),  # which the first optimizer imports
    _COMMANDS,
)
OTHERS_ALONE = Modules(
    "others",
    ("torch", "torchvision", "pandas", "pyarrow.parquet", "pydantic", "scipy.special"),
    ("torch._dynamo",),
    ("json",),
)
"""Nothing of this package's: for machines that have another version of it."""
_READ_LATER = {"RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_TOKEN_PATH"}
_READ_BY_IMPORTS = ("PYTHON", "LC_", "LANG", "RAY_", "TUNE_", "OMP_", "CUDA_", "TMPDIR")


_AT_FIRST = dict(os.environ)


def _read_by_imports(environment: Mapping[str, str]) -> dict[str, str]:
    names = {name for name in environment if name.startswith(_READ_BY_IMPORTS)}
    names -= _READ_LATER | {"PYTHONBREAKPOINT"}  # Ray sets that one
    return {name: environment[name] for name in names}


def can_be_forked(modules: Modules = EVERYTHING) -> bool:
    """Whether nothing has changed in the environment that a module reads when it is imported."""
    own = _server(modules).imported.items()  # this process may have imported the same
    now, at_first = _read_by_imports(os.environ), _read_by_imports(_AT_FIRST)
    return now.items() - own == at_first.items() - own


class Process:
    """A forked command, with what the tests use of ``subprocess.Popen``."""

    def __init__(self, pid: int, end: socket.socket, stdout: IO[str], stderr: IO[str]):
        self.pid, self.stdout = pid, stdout
        self.returncode: int | None = None
        self._end, self._stderr = end, stderr

    def poll(self) -> int | None:
        """Return the exit code, or None if it has not ended."""
        if self.returncode is None:
            self._wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit code."""
        if self.returncode is None and not self._wait(timeout):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return self.returncode

    def send_signal(self, sign: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sign)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end and return what it printed; where that is one text, all of it first."""
        self.wait(timeout)
        with self.stdout, self._stderr:
            self.stdout.seek(0)  # where the process has written, too
            printed = self.stdout.read()
            if self._stderr is not self.stdout:
                self._stderr.seek(0)
            return printed, self._stderr.read()

    def _wait(self, seconds: float | None) -> bool:
        if not select.select([self._end], [], [], seconds)[0]:
            return False
        with self._end:
            self.returncode = int(self._end.recv(LARGEST))
        return True


class _Server:
    """A process that has imported ``modules`` and forks commands, for all that run tests."""

    def __init__(self, modules: Modules):
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID", os.getpid())
        self._address = f"tune-robust-tests-{run}-{modules.name}"
        try:
            self._held = ask(self._address, None, [])
        except ConnectionRefusedError:
            _begin(self._address, modules)
            self._held = ask(self._address, None, [])
        self.imported: dict[str, str]
        self.python: str
        self.imported, self.python = json.loads(self._held.recv(LARGEST))
        atexit.register(self._end)

    def start(self, request: dict, *outputs: IO[str]) -> Process:
        with open(os.devnull) as nothing:
            files = [file.fileno() for file in (nothing, *outputs)]
            end = ask(self._address, request, files)
        return Process(int(end.recv(LARGEST)), end, *outputs)

    def _end(self) -> None:
        with self._held:
            self._held.shutdown(socket.SHUT_WR)
            self._held.recv(LARGEST)  # the last waits until it has ended


def _begin(address: str, modules: Modules) -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "tests.cli.fork_server", address),
            *(",".join(names) for names in modules[1:]),
        ],
        cwd=Path(__file__).parents[2],
        env=_AT_FIRST,
        check=True,
    )


_server = cache(_Server)


def forking_python(modules: Modules) -> str:
    """Return what Ray may take for Python: the processes of trials have imported ``modules``."""
    return _server(modules).python


def start(
    arguments: Sequence[str],
    cwd: Path,
    env: dict[str, str],
    *,
    program: Path | None = None,
    one_output: bool = False,
    modules: Modules = EVERYTHING,
) -> Process:
    """Start ``tune-robust`` with ``arguments``, or a program of Python.

    ``one_output``: both outputs are one text; ``modules``: have been imported.
    """
    stdout = _output()
    stderr = stdout if one_output else _output()
    name = None if program is None else str(program)
    request = {"arguments": arguments, "cwd": str(cwd), "env": env, "program": name}
    return _server(modules).start(request, stdout, stderr)


def _output() -> IO[str]:
    return tempfile.TemporaryFile("a+")  # `communicate` closes it
