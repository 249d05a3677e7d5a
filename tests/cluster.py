"""A real Ray cluster of several nodes on this machine, for the tests that ask for it."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import pytest

from tests.cli.agents import PIPES
from tests.cli.command import MARK, kill_marked, marked_processes
from tests.cli.forked import OTHERS_ALONE, forking_python

RAY = Path(sys.executable).with_name("ray")
_START = "import sys; sys.executable = sys.argv[1]; del sys.argv[1]; " + (
    "from ray.scripts.scripts import main; main()"
)
_CODE = Path(__file__).parents[1]

_SMALL = (
    *("--num-gpus=0", "--object-store-memory=100000000"),
    # As many nodes as there are share this machine's ports.
    *("--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"),
)


class RayNode:
    """``ray start`` in the foreground, with all the processes that it starts.

    As another machine: it has a cache of its own, and no credentials for any storage.
    """

    def __init__(self, *arguments: object, log: Path, packages: Path):
        self.mark, self.cache = uuid.uuid4().hex, log.with_suffix(".cache")
        here = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        environment = {
            MARK: self.mark,
            PIPES: "1",
            "PATH": f"{RAY.parent}{os.pathsep}{here['PATH']}",
            "PYTHONPATH": str(packages),
            "XDG_CACHE_HOME": str(self.cache),
        }
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-c", _START, forking_python(OTHERS_ALONE)),
                    *("start", "--block", *_SMALL, *map(str, arguments)),
                ],
                env={**here, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def trials(self) -> list[int]:
        """The process ids of the trials that it runs."""
        return marked_processes(self.mark, "ray::t0")

    def kill(self) -> None:
        """kill -9 to the node and to all that it runs."""
        kill_marked(self.mark)
        self.process.wait()


class RayCluster:
    """Nodes of one trial each, with a token that nobody else has.

    All have another tune-robust installed, but a head that takes jobs: these run what it has.
    """

    def __init__(self, folder: Path, cpus: int):
        self._folder, self._cpus, self.nodes = folder, cpus, []
        old = folder / "packages" / "tune_robust"
        old.mkdir(parents=True)
        (old / "__init__.py").write_text("raise ImportError('another version')")
        self.address = f"127.0.0.1:{free_port()}"
        self.dashboard = f"http://127.0.0.1:{free_port()}"

    def add_node(self, *, takes_jobs: bool = False) -> RayNode:
        """The head first, then as many as are wanted."""
        port = self.address.rpartition(":")[2]
        if self.nodes:
            # An address of its own: this process joins by the head, which is not to be killed.
            arguments = [f"--address={self.address}"]
            arguments += [f"--node-ip-address=127.0.0.{len(self.nodes) + 1}"]
        else:
            arguments = ["--head", f"--port={port}", "--node-ip-address=127.0.0.1"]
            arguments += [f"--temp-dir={self._folder}", f"--include-dashboard={takes_jobs}"]
            arguments += [f"--dashboard-port={self.dashboard.rpartition(':')[2]}"]
        log = self._folder / f"node{len(self.nodes)}.log"
        packages = _CODE if takes_jobs else self._folder / "packages"
        node = RayNode(f"--num-cpus={self._cpus}", *arguments, log=log, packages=packages)
        self.nodes.append(node)
        _wait_for(node, log)
        return node

    def close(self) -> None:
        for node in self.nodes:
            node.kill()


def _wait_for(node: RayNode, log: Path) -> None:
    deadline = time.monotonic() + 90
    while "Ray runtime started" not in log.read_text():
        assert node.process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


@pytest.fixture(scope="module")
def trial_processes(pytestconfig):
    """The processes of each trial of the tests that look at this; each node has as many CPUs."""
    return pytestconfig.getoption("trial_processes")


@pytest.fixture(scope="module")
def ray_cluster(trial_processes):
    """A cluster without nodes yet, whose token this process and those it starts have."""
    # Ray's sockets lie in it, and a socket's path may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="tr-"))
    token = folder / "token"
    token.write_text(secrets.token_hex(32))
    token.chmod(0o600)
    cluster = RayCluster(folder, cpus=trial_processes)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_AUTH_MODE", "token")
        patched.setenv("RAY_AUTH_TOKEN_PATH", str(token))
        yield cluster
    cluster.close()
    shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
