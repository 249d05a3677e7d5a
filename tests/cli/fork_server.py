"""The process that forks commands for tests/cli/forked.py: it imports modules, then waits.

    python -m tests.cli.fork_server SOCKET MODULE...

First it sends what the imports have added to the environment. Each request comes with three
descriptors: standard output, standard error, and a socket on which the process id is sent, and the
exit code once there is one.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from typing import Any

LARGEST = 1 << 18
"""Bytes of a request, nearly all of them the environment."""


def serve(requests: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork for every request; return it in the forked process, or None here once there are none."""
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([requests, woken], [], [])
        if requests in ready:
            message, descriptors, _, _ = socket.recv_fds(requests, LARGEST, 3)
            if not message:
                return None
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                return json.loads(message), descriptors
            *outputs, end = descriptors
            for output in outputs:
                os.close(output)
            running[pid] = socket.socket(fileno=end)
            running[pid].send(str(pid).encode())
        if woken in ready:
            os.read(woken, 4096)
            _report_ends(running)


def _report_ends(running: dict[int, socket.socket]) -> None:
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with running.pop(pid) as end:
                end.send(str(os.waitstatus_to_exitcode(status)).encode())


def become(request: dict[str, Any], descriptors: list[int], imported: dict[str, str]) -> None:
    """Make this process the one asked for; ``imported``: what imports add to the environment."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    for number, descriptor in enumerate(descriptors, 1):
        if number <= 2:
            os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(imported | request["env"])
    program = request["program"]
    sys.path[0] = os.path.dirname(program) if program else request["cwd"]
    sys.argv = [program or "tune-robust", *request["arguments"]]


def run(program: str | None) -> None:
    """Run a program, or the command."""
    if program:
        runpy.run_path(program, run_name="__main__")
    else:
        from tune_robust.cli import main

        main()


if __name__ == "__main__":
    before = set(os.environ)
    requests = socket.socket(fileno=int(sys.argv[1]))
    for module in sys.argv[2:]:
        importlib.import_module(module)
    imported = {name: os.environ[name] for name in set(os.environ) - before}
    requests.send(json.dumps(imported).encode())
    gc.freeze()
    if (asked := serve(requests)) is not None:
        become(*asked, imported)
        run(asked[0]["program"])
