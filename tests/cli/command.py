"""Runs the real command in a process of its own, and everything it starts in reach of a kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pandas as pd

from tests.cli.fork_server import MARK, MARKED
from tests.cli.forked import EVERYTHING, Modules, Process, can_be_forked, start


def _command(program: Path | None) -> list[str]:
    return [sys.executable, *((str(program),) if program else ("-m", "tune_robust"))]


def run(
    *arguments: object,
    cwd: Path,
    code: int | None = 0,
    program: Path | None = None,
    modules: Modules = EVERYTHING,
) -> subprocess.CompletedProcess:
    """Run to the end, expecting an exit code, or any where ``code`` is None.

    ``program``: a program of Python in place of the command. It runs in a process forked from one
    that has imported ``modules``, or in a new interpreter where they would have read something else
    from the environment. New ones search in test_jobs.py and in the notebook of tests/examples.
    """
    words = [*map(str, arguments)]
    if not can_be_forked(modules):
        done = subprocess.run(
            [*_command(program), *words], cwd=cwd, capture_output=True, text=True, timeout=300
        )
    else:
        process = start(words, cwd, dict(os.environ), program=program, modules=modules)
        printed = process.communicate(300)
        done = subprocess.CompletedProcess(words, process.wait(), *printed)
    expected = done.returncode if code is None else code
    assert done.returncode == expected, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


class Started:
    """A command under way, with all the processes that it starts."""

    left: ClassVar[list[Started]] = []
    """Those that nobody has waited for yet."""

    def __init__(
        self,
        *arguments: object,
        cwd: Path,
        command: list[str] | None = None,
        program: Path | None = None,
        modules: Modules = EVERYTHING,
    ):
        self._mark = uuid.uuid4().hex
        words, env = [*map(str, arguments)], {**os.environ, MARK: self._mark}
        self.process: Process | subprocess.Popen
        if command is None and can_be_forked(modules):
            self.process = start(words, cwd, env, program=program, one_output=True, modules=modules)
        else:
            self.process = subprocess.Popen(
                [*(command or _command(program)), *words],
                cwd=cwd,
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.left.append(self)

    def wait_until(
        self, condition: Callable[[], bool], seconds: float = 240, every: float = 0.05
    ) -> None:
        """Ask ``condition`` ``every`` so many seconds while the command runs."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"it ended early:\n{self.finish()[1]}"
            assert time.monotonic() < deadline, "it never came to that"
            time.sleep(every)

    def processes(self, named: str) -> list[int]:
        """Of those that it started, the process ids whose command line contains ``named``."""
        return marked_processes(self._mark, named)

    def finish(self, seconds: float | None = None) -> tuple[int, str]:
        """Wait for the command's end; its exit code and all that it printed."""
        output, _ = self.process.communicate(timeout=seconds)
        self.left.remove(self)
        return self.process.returncode, output

    def kill_tree(self) -> None:
        """kill -9 to the command and to everything that descends from it."""
        self.process.send_signal(signal.SIGKILL)
        kill_marked(self._mark)
        self.finish()

    def interrupt(self, sign: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Send a signal to the command alone; its exit code and all that it printed."""
        self.process.send_signal(sign)
        return self.finish(120)


def read_table(path: Path) -> pd.DataFrame:
    """A table of a run that goes on: opened once, since the search may replace it at any moment."""
    with path.open("rb") as opened:
        return pd.read_parquet(opened)


def marked_processes(mark: str, named: str = "") -> list[int]:
    """The process ids that have ``mark`` in their environment, by what their command lines say."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and _is_marked(entry, mark):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found += [int(entry.name)] if named in line else []
    return found


def _is_marked(process: Path, mark: str) -> bool:
    if f"{MARK}={mark}".encode() in (process / "environ").read_bytes():
        return True
    with suppress(OSError):
        return mark in os.readlink(process / "fd" / str(MARKED))  # it was forked
    return False


def kill_marked(mark: str) -> None:
    """kill -9 to all processes that have ``mark`` in their environment."""
    for process in marked_processes(mark):
        with suppress(OSError):
            os.kill(process, signal.SIGKILL)
