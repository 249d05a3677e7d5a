"""Start or join Ray for a search: on this machine alone, or on a running cluster."""

from __future__ import annotations

import atexit
import json
import logging
import os
import secrets
import socket
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

_SETTINGS = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a trial that requests no GPU sees none
    "RAY_AUTH_MODE": "token",
    "RAY_AIR_NEW_OUTPUT": "0",
    # One idle process per core, which no trial would use: trials have an environment of their own.
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_MAX_PENDING_TRIALS_PG": "1024",  # only the conductor limits how many run
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
for _name, _value in _SETTINGS.items():
    # Ray reads its settings when it is imported.
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402
from ray._private import parameter as ray_parameter  # noqa: E402
from ray._private import ray_constants  # noqa: E402
from ray._private import worker as ray_worker  # noqa: E402
from ray._private.node import Node as RayNode  # noqa: E402
from ray._raylet import (  # type: ignore[attr-defined]  # noqa: E402  # written in Cython
    AuthenticationMode,
    Config,
    get_authentication_mode,
)
from ray.exceptions import AuthenticationError, RayError, TaskUnschedulableError  # noqa: E402
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: E402

from tune_robust.errors import UserError  # noqa: E402
from tune_robust.tuning.engine.ray_folder import private_folder  # noqa: E402
from tune_robust.tuning.engine.slots import Node  # noqa: E402

_log = logging.getLogger(__name__)
_NEEDED = (ray_constants.PROCESS_TYPE_RAYLET, ray_constants.PROCESS_TYPE_GCS_SERVER)
"""The raylet ends itself if an agent (for runtime environments or the dashboard) has died."""
PACKAGE = Path(__file__).parents[2]
_PASSED_ON = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1"}


@contextmanager
def ray_session(
    *, dashboard: bool, verbose: bool, address: str | None = None
) -> Iterator[str | None]:
    """Run Ray with token authentication while inside, and yield the dashboard's URL.

    Args:
        dashboard: whether to start a dashboard; a cluster has its own, or none.
        verbose: whether to show Ray's own messages.
        address: the address of a cluster, ``auto`` or HOST:PORT; None starts Ray on this machine.

    Raises:
        UserError: Ray runs in this process already or does not start, the cluster cannot be
            joined, or Ray would have no authentication.
    """
    if ray.is_initialized():
        raise UserError(
            "Ray runs in this process already. A search starts Ray for itself and ends it again: "
            "call ray.shutdown() first. To use a cluster that is running, give its address."
        )
    _switch_authentication_on()
    level = "INFO" if verbose else "ERROR"
    options: dict[str, Any] = {"log_to_driver": verbose, "logging_level": level}
    with ExitStack() as opened:
        if not verbose:
            opened.enter_context(_messages_logged())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if address is None:
                _make_token()
                opened.enter_context(_on_loopback())
                opened.enter_context(_few_processes(log_monitor=verbose, dashboard=dashboard))
                own = str(opened.enter_context(private_folder()))
                context = _start(own, {"include_dashboard": dashboard, **options})
            else:
                context = _join(address, options)
        opened.callback(_shut_down)
        yield f"http://{context.dashboard_url}" if context.dashboard_url else None


@contextmanager
def _messages_logged() -> Iterator[None]:
    """Log Ray's messages about its processes, such as the last lines of one that has died.

    Ray would print them to standard output, whatever its logging level is.
    """
    printing = ray_worker.print_to_stdstream
    ray_worker.print_to_stdstream = _log_message
    try:
        yield
    finally:
        ray_worker.print_to_stdstream = printing


def _log_message(data: dict[str, Any], ignore_prefix: bool) -> None:
    _log.info("%s", "\n".join(data["lines"]))


class RayLost(BaseException):
    """A process that Ray needs has died; ``args`` has its name.

    It is not an ``Exception``, on which Ray Tune would ask the dead Ray to end the trials cleanly.
    """


def check_alive() -> None:
    """Check that the processes with which Ray was started on this machine are still running.

    Raises:
        RayLost: one of them is not.
    """
    node = ray_worker._global_node
    dead: set[str] = {kind for kind, _ in node.dead_processes()} if node else set()
    for kind in _NEEDED:
        if kind in dead:
            raise RayLost(kind)


def _shut_down() -> None:
    """End Ray; if one of its processes has died, kill the others, which would wait a minute.

    Disconnecting from a dead raylet would also end this process, with an exit code of Ray's.
    """
    try:
        check_alive()
    except RayLost:
        atexit.unregister(ray.shutdown)
        if (node := ray_worker._global_node) is not None:
            node.kill_all_processes(check_alive=False, allow_graceful=False)
    else:
        ray.shutdown()


def live_nodes() -> list[Node]:
    """Return the nodes that can run a trial, the largest first."""
    have = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    nodes = (Node(int(h.get("CPU", 0)), int(h.get("GPU", 0))) for h in have)
    return sorted((node for node in nodes if node.cpus), reverse=True)


def check_nodes(folder: str | None) -> None:
    """Check that every node can run this code and, if ``folder`` is given, access that folder.

    Raises:
        UserError: a node cannot; the message names it and says what to do.
    """
    for node in ray.nodes():
        if not (node["Alive"] and node["Resources"].get("CPU")):
            continue
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        name = node["NodeManagerAddress"]
        try:
            sees = ray.get(_sees.options(scheduling_strategy=there).remote(folder))
        except TaskUnschedulableError:
            continue  # it has left the cluster in the meantime
        except RayError as error:
            raise UserError(
                f"the cluster's node {name} cannot run trials: {_last_line(error)} Every node "
                "needs the Python, PyTorch and Ray that this machine has, and what tune-robust "
                "depends on: `pip install tune-robust` there, or use one image for all nodes."
            ) from error
        if not sees:
            raise UserError(
                f"the cluster's node {name} cannot access the run's folder {folder}, to which "
                "trials write their checkpoints. Give a --storage that all nodes share: a network "
                "file system at the same path everywhere, or a URI (s3://, gs://)."
            )


@ray.remote(num_cpus=0)
def _sees(folder: str | None) -> bool:
    """Import the trainable, which fails if the node lacks what a trial needs."""
    import tune_robust.tuning.engine.trainable  # noqa: F401

    return folder is None or Path(folder).exists()


def _start(folder: str, options: dict[str, Any]) -> Any:
    try:
        return ray.init("local", _temp_dir=folder, **options)
    except Exception as error:  # Ray raises no other kind where it does not come up in time
        raise UserError(
            f"Ray does not start on this machine: {_last_line(error)} If the machine is very busy, "
            "try again when it is less so; `tune-robust doctor` shows whether Ray starts at all. "
            "Nothing of the run is lost: `tune-robust resume` begins it."
        ) from error


def _join(address: str, options: dict[str, Any]) -> Any:
    """Join a cluster and send this code to its nodes, whatever is installed there."""
    _check_reachable(address)
    shipped = {"py_modules": [str(PACKAGE)], "env_vars": _PASSED_ON}
    # A Ray job may have its own environment: both apply, and this one has precedence.
    os.environ.setdefault("RAY_OVERRIDE_JOB_RUNTIME_ENV", "1")
    try:
        return ray.init(address, runtime_env=shipped, **options)
    except (ConnectionError, RayError, RuntimeError, ValueError) as error:
        why = f"{error} {error.__cause__ or error.__context__}"
        if isinstance(error, AuthenticationError) or "authenti" in why.lower():
            raise UserError(
                f"the Ray cluster at {address} refuses this machine's token. All its nodes and "
                "this machine need the same one: copy the head's ~/.ray/auth_token (readable by "
                "you alone), or set RAY_AUTH_TOKEN_PATH. See docs/cluster.md."
            ) from error
        raise _no_cluster(address, _last_line(error)) from error


def _check_reachable(address: str) -> None:
    """Check that the address can be reached, which Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdigit()) or "://" in address:
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise _no_cluster(address, f"{error.strerror or error}.") from error


def _no_cluster(address: str, why: str) -> UserError:
    return UserError(
        f"cannot join a Ray cluster at {address!r}: {why} Expected `auto` on a node of the "
        "cluster, or HOST:PORT of its head (`ray start --head` prints it); without --address and "
        "RAY_ADDRESS, or with --address local, Ray starts on this machine alone."
    )


def _switch_authentication_on() -> None:
    """Switch authentication on, also if the user's script has imported Ray before."""
    if os.environ["RAY_AUTH_MODE"] == "token" and (
        get_authentication_mode() != AuthenticationMode.TOKEN
    ):
        Config.initialize(json.dumps({"AUTH_MODE": "token"}))


def _make_token() -> None:
    """Create the token before Ray does, which would make it readable for everyone.

    Raises:
        UserError: authentication was switched off in the environment.
    """
    if os.environ["RAY_AUTH_MODE"] != "token":
        raise UserError(
            f"RAY_AUTH_MODE is {os.environ['RAY_AUTH_MODE']!r}: then anyone who reaches this "
            "machine could run code in the search's name. Unset it: a search sets what it needs."
        )
    if "RAY_AUTH_TOKEN" in os.environ:
        return
    token = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")).expanduser()
    token.parent.mkdir(parents=True, exist_ok=True)
    if not token.exists():
        _write_token(token)
    with suppress(PermissionError):  # it belongs to another user, who made it readable
        token.chmod(0o600)


def _write_token(token: Path) -> None:
    """Write the token aside and link it, so that a concurrent search sees a complete token."""
    aside = token.with_name(f".{token.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    with suppress(FileExistsError):
        os.link(aside, token)
    aside.unlink()


@contextmanager
def _on_loopback() -> Iterator[None]:
    """Make none of Ray's ports reachable from other machines, including metrics without a token.

    This is what Ray does on desktop systems, where no cluster is formed. Ray and the processes that
    it starts read the variable when they are imported. Afterwards, this process may join a cluster.
    """
    name, enabled = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR, ray_constants.ENABLE_RAY_CLUSTER
    before = os.environ.get(name)
    os.environ[name] = "0"
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = enabled
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextmanager
def _few_processes(*, log_monitor: bool, dashboard: bool) -> Iterator[None]:
    """Start no autoscaler, since one node does not grow, and what shows Ray's logs only if asked.

    Without a dashboard, Ray would also start the dashboard's process, empty, and wait for it. Each
    of the three is a process of Python.
    """
    module: Any = ray_parameter
    whole: Any = ray_parameter.RayParams
    node, start_api_server = cast(Any, RayNode), RayNode.start_api_server
    module.RayParams = partial(whole, no_monitor=True, include_log_monitor=log_monitor)
    if not dashboard:
        node.start_api_server = lambda *_, **__: None
    try:
        yield
    finally:
        module.RayParams, node.start_api_server = whole, start_api_server


def _last_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{lines[-1].strip().rstrip('.')}." if lines else f"{type(error).__name__}."
