"""The traffic of a search to remote storage: bytes sent over bytes of events, at 5,000 trials.

    python benchmarks/traffic.py            # 5,000 trials of up to 40 epochs
    python benchmarks/traffic.py --quick    # 200
    python benchmarks/traffic.py --json

The trials are recorded curves as in ``scale.py``. Everything is uploaded to an S3 server on this
machine after each trial, which is as often as in a search; the server counts the bytes of all
requests, without headers.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.server import MotoRequestHandler
from pyarrow.fs import S3FileSystem
from scale import AT_A_TIME, conduct, search_space
from timing import machine
from werkzeug.serving import make_server

from tune_robust.runs.folder import RunFolder
from tune_robust.runs.provenance import provenance
from tune_robust.runs.remote.local_copy import LocalCopy
from tune_robust.runs.remote.objects import Remote
from tune_robust.runs.store import RunStore
from tune_robust.runs.trial import Status
from tune_robust.tuning.engine.conductor import Conductor


class Server:
    """An S3 server on the loopback interface that counts the bytes it receives."""

    def __init__(self) -> None:
        self.received = 0
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._count, threaded=True, request_handler=_Quiet
        )
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """Return the host and the port."""
        return f"127.0.0.1:{self._server.server_port}"

    def make_bucket(self, name: str) -> str:
        """Create a bucket that this process can use, and return its URI."""
        os.environ["AWS_ENDPOINT_URL"] = f"http://{self.address}"
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = "anyone", "secret"
        system = S3FileSystem(
            endpoint_override=self.address, scheme="http", allow_bucket_creation=True
        )
        system.create_dir(name)
        return f"s3://{name}"

    def _count(self, environ: dict[str, Any], start: Any) -> Any:
        environ["wsgi.input"] = _Counted(environ["wsgi.input"], self)
        return self._app(environ, start)


class _Quiet(MotoRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Print nothing on each request."""


class _Counted(io.RawIOBase):
    """The body of a request, which has no length in its header if it is sent in chunks."""

    def __init__(self, body: Any, server: Server):
        self._body, self._server = body, server

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._body.read(size)
        self._server.received += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Uploaded(RunStore):
    """A run that is uploaded completely whenever a trial has ended."""

    copy: LocalCopy

    def end(self, trial: str, status: Status, error: str | None = None) -> None:
        """Record how a trial ended, and upload."""
        super().end(trial, status, error)
        self.copy.upload_run()


def measure(trials: int) -> dict[str, Any]:
    """Run one search of ``trials`` trials; return the bytes sent and the bytes of its events."""
    server, space = Server(), search_space(trials, "random")
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / "r")
        store = Uploaded.create(run, {"space": space.document(), **provenance()})
        store.copy = LocalCopy(run.path, Remote(f"{server.make_bucket('runs')}/r"))
        conductor = Conductor(space, store, threads=1)
        conduct(conductor, AT_A_TIME)
        conductor.close()
        store.copy.upload_run(closing=True)
        events = run.events.stat().st_size
        return {
            "trials": trials,
            "events_mb": events / 1e6,
            "tables_mb": sum(path.stat().st_size for path in run.path.glob("*.parquet")) / 1e6,
            "sent_mb": server.received / 1e6,
            "sent_over_events": server.received / events,
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="200 trials")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    on, found = machine(), measure(200 if given.quick else 5000)
    if given.json:
        ratios = {"sent_over_events": found["sent_over_events"]}
        print(json.dumps({"ratios": ratios, "machine": on, "n": 1, "run": found}, indent=2))
        return
    for name, value in found.items():
        print(f"{name:20}{value:>10.3f}" if isinstance(value, float) else f"{name:20}{value:>10}")
    print(", ".join(f"{key} {value}" for key, value in on.items()))


if __name__ == "__main__":
    main()
