"""The process that forks commands for tests/cli/forked.py: it imports modules, then waits.

    python -m tests.cli.fork_server ADDRESS SHARED,... TRIALS,... COMMANDS,...

This returns as soon as one can connect to the address, of an abstract socket; the server goes on
alone and imports the modules. Each process that runs tests connects with the request ``null`` and
stays connected: the server ends with the last of these. They receive what the imports have added to
the environment, and the path of a Python that has the processes of trials forked. To start a
command, a process connects with a request and three descriptors, standard input, output and error,
and receives the process id and, once there is one, the exit code.

A forked command that starts Ray has the processes of its trials forked, too: what it takes for
Python (``sys.executable``) has a second server make them, through tests/cli/fork_client.py. The
same holds for a benchmark that starts itself. The second server imports Ray by itself, since Ray
reads a worker's variables when it is imported. Ray's agents, and a command that a benchmark starts,
are forked by the first.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import random
import runpy
import select
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.cli.fork_client import LARGEST

MARK = "TUNE_ROBUST_TEST_PROCESS"
"""The variable that marks all processes that a command of the tests starts."""
MARKED = 1000
"""The descriptor of a file named like the mark: a forked process shows its server's variables."""
PYTHON = """#!/bin/sh
case "$*" in
*/setup_worker.py*/default_worker.py* | {benchmarks}/*) exec {client} {address}-trials "$@" ;;
"-u "*/dashboard/agent.py* | "-u "*/runtime_env/agent/main.py*)
    shift; exec {client} {address} "$@" ;;
"-m tune_robust "*) shift 2; exec {client} {address} "$@" ;;
*) exec {python} "$@" ;;
esac
"""
OF_A_WORKER = {"RAY_JOB_ID": "01000000", "RAY_RAYLET_PID": "1"}
"""What a worker's Ray reads when it is imported: a command's only job, and what never ends."""


class Asked(NamedTuple):
    """What a forked process is to do."""

    request: dict[str, Any]
    files: list[int]


def serve(
    connections: socket.socket, owners: set[socket.socket], greeting: bytes = b""
) -> Asked | None:
    """Fork for every request, and return it in the forked process; None once no owner is left."""
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, socket.socket] = {}
    while True:
        ready = {*select.select([connections, woken, *owners], [], [])[0]}
        for owner in owners & ready:
            if len(owners) == 1:
                return None  # it waits for the end of this process
            owners.remove(owner)
            owner.close()
        if woken in ready:
            os.read(woken, 4096)
            _report_ends(running)
        if connections in ready:
            asking, _ = connections.accept()
            message, files, _, _ = socket.recv_fds(asking, LARGEST, 3)
            if (request := json.loads(message)) is None:
                asking.send(greeting)
                owners.add(asking)
                continue
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for opened in (asking, connections, *owners, *running.values()):
                    opened.close()
                return Asked(request, files)
            for file in files:
                os.close(file)
            running[pid] = asking
            asking.send(str(pid).encode())


def _report_ends(running: dict[int, socket.socket]) -> None:
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with running.pop(pid) as asking, suppress(BrokenPipeError):  # it was killed
                asking.send(str(os.waitstatus_to_exitcode(status)).encode())


def become(asked: Asked, imported: dict[str, str]) -> None:
    """Make this process the one asked for; ``imported``: what imports add to the environment."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    for number, file in enumerate(asked.files):
        os.dup2(file, number)
        os.close(file)
    for name, buffering in (("stdout", -1), ("stderr", 1)):  # the server's may have been files
        old = getattr(sys, name)
        options = {"encoding": old.encoding, "errors": old.errors, "closefd": False}
        setattr(sys, name, os.fdopen(old.fileno(), "w", buffering, **options))
    os.chdir(asked.request["cwd"])
    os.environ.clear()
    os.environ.update(imported | asked.request["env"])
    mark = os.memfd_create(os.environ.get(MARK, ""))
    os.dup2(mark, MARKED, inheritable=False)
    os.close(mark)
    random.seed()  # every process its own


def run_command(request: dict[str, Any], python: Path) -> None:
    """Run the command, or a program; ``python`` is what starts the interpreters that it needs."""
    program = request.get("program")
    sys.executable = str(python)
    sys.path[0] = os.path.dirname(program) if program else request["cwd"]
    sys.argv = [program or "tune-robust", *request["arguments"]]
    if program:
        runpy.run_path(program, run_name="__main__")
    else:
        from tune_robust.cli import main

        main()


def run_python(arguments: list[str]) -> None:
    """Run a program; Ray's setup_worker.py names the one that it would start."""
    if arguments[0].endswith("setup_worker.py"):
        arguments = _set_up_worker(arguments[1:])
    packages = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv, sys.path[:1] = arguments, [os.path.dirname(arguments[0]), *filter(None, packages)]
    runpy.run_path(arguments[0], run_name="__main__")


def end_after(run: Callable[..., None], *arguments: Any) -> None:
    """Run it and end the process, as an interpreter does but for what it frees.

    To free all that was imported takes half a second: every page of it would be copied first.
    """
    code: Any = None
    try:
        run(*arguments)
    except SystemExit as end:
        code = end.code
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code or 0)


def _set_up_worker(arguments: list[str]) -> list[str]:
    from ray._private.runtime_env.context import RuntimeEnvContext
    from ray._private.utils import update_envs
    from ray._private.workers.setup_worker import parser

    options, program = parser.parse_known_args(arguments)
    context = RuntimeEnvContext.deserialize(options.serialized_runtime_env_context)
    update_envs(context.env_vars)
    raylet = int(os.environ["RAY_RAYLET_PID"])
    threading.Thread(target=_end_with, args=(raylet,), daemon=True).start()
    if context.command_prefix:  # of a job with files of its own: cd FOLDER &&
        os.chdir(context.command_prefix[1])
    return program


def _end_with(raylet: int) -> None:
    """End this process within a second of the raylet, as Ray does where it knows which that is."""
    with suppress(OSError):
        while b") Z " not in Path(f"/proc/{raylet}/stat").read_bytes():
            time.sleep(1)
    os._exit(1)


def _listen(address: str) -> socket.socket:
    connections = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connections.bind(f"\0{address}")
    connections.listen(64)
    return connections


def _import(modules: str) -> None:
    gc.disable()
    for module in modules.split(","):
        importlib.import_module(module)
    gc.freeze()
    gc.enable()


def _serve_trials(commands: socket.socket, address: str, modules: str) -> socket.socket:
    """Fork the second server; it ends once what is returned is closed."""
    connections = _listen(address)
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        commands.close()
        ours.close()
        os.environ.update(OF_A_WORKER)
        _import(modules)
        if (asked := serve(connections, {theirs})) is not None:
            become(asked, {})
            end_after(run_python, asked.request["arguments"])
        os._exit(0)
    connections.close()
    theirs.close()
    return ours


def main() -> None:
    """Import the modules and serve; in a forked process, be what was asked for."""
    address, *modules = sys.argv[1:]
    try:
        connections = _listen(address)
    except OSError:
        return  # another process has started a server at the same time
    if os.fork() == 0:
        os.setsid()
        _serve_commands(connections, address, *modules)


def _serve_commands(
    connections: socket.socket, address: str, shared: str, of_trials: str, of_commands: str
) -> None:
    before, owners = set(os.environ), set()  # a set that outlives `serve`: see there
    _import(shared)
    with _serve_trials(connections, f"{address}-trials", of_trials):
        _import(of_commands)
        imported = {name: os.environ[name] for name in set(os.environ) - before}
        python = _python_that_forks(address)
        greeting = json.dumps([imported, str(python)]).encode()
        asked = serve(connections, owners, greeting)
        if asked is None:
            shutil.rmtree(python.parent)
            return
        become(asked, imported)
        arguments = asked.request["arguments"]
        if "program" not in asked.request and arguments[0].endswith(".py"):  # it is an agent
            end_after(run_python, arguments)
        else:
            end_after(run_command, asked.request, python)


def _python_that_forks(address: str) -> Path:
    python = Path(tempfile.mkdtemp()) / "python"
    text = PYTHON.format(
        python=sys.executable,
        benchmarks=Path(__file__).parents[2] / "benchmarks",
        client=f"{sys.executable} -IS {Path(__file__).with_name('fork_client.py')}",
        address=address,
    )
    python.write_text(text)
    python.chmod(0o700)
    return python


if __name__ == "__main__":
    main()
