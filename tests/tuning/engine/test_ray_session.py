"""Ray's token is whole and private from the moment that it is there."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from unittest.mock import MagicMock

import pytest
from ray.exceptions import TaskUnschedulableError

from tune_robust.errors import UserError
from tune_robust.tuning.engine import ray_session


@pytest.mark.parametrize("attempt", range(20))
def test_searches_that_start_together_have_one_token(tmp_path, monkeypatch, attempt):
    path, together = tmp_path / "ray" / "token", 8
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    start = Barrier(together)

    def search(_):
        start.wait()
        ray_session._make_token()
        return path.read_text()

    with ThreadPoolExecutor(together) as pool:
        tokens = set(pool.map(search, range(together)))
    assert [len(token) for token in tokens] == [64]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [*path.parent.iterdir()] == [path]


def test_authentication_is_on_though_ray_was_imported_before():
    script = (
        "import ray\n"
        "from tune_robust.tuning.engine import ray_session\n"
        "ray_session._switch_authentication_on()\n"
        "from ray._raylet import AuthenticationMode, get_authentication_mode\n"
        "print(get_authentication_mode() == AuthenticationMode.TOKEN)\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True"]


def test_a_ray_that_runs_in_the_process_is_left_alone(monkeypatch):
    monkeypatch.setattr(ray_session.ray, "is_initialized", lambda: True)
    with (
        pytest.raises(UserError, match=r"call ray\.shutdown\(\) first"),
        ray_session.ray_session(dashboard=False, verbose=False),
    ):
        pass


def test_authentication_that_was_switched_off_is_refused(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with (
        pytest.raises(UserError, match="RAY_AUTH_MODE is 'disabled'"),
        ray_session.ray_session(dashboard=False, verbose=False),
    ):
        pass


def test_what_ray_reports_of_a_dead_process_is_logged_and_not_printed(capsys, caplog):
    message = {"lines": ["Raylet is terminated.", "its log"], "pid": "raylet", "is_err": False}
    with ray_session._messages_logged(), caplog.at_level("INFO"):
        ray_session.ray_worker.print_to_stdstream(message, ignore_prefix=False)
    assert capsys.readouterr() == ("", "")
    assert "its log" in caplog.text
    ray_session.ray_worker.print_to_stdstream(message, ignore_prefix=False)
    assert "its log" in capsys.readouterr().out


def test_a_ray_that_does_not_start_is_an_error_that_says_what_to_do(monkeypatch):
    def times_out(*arguments, **options):
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray_session.ray, "init", times_out)
    with (
        pytest.raises(UserError, match=r"timed out during startup\. If the machine is very busy"),
        ray_session.ray_session(dashboard=False, verbose=False),
    ):
        pass


def test_after_a_session_of_its_own_the_process_may_join_a_cluster(monkeypatch):
    ray_constants = ray_session.ray_constants
    name = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
    monkeypatch.delenv(name, raising=False)
    with ray_session._on_loopback():
        assert os.environ[name] == "0"
        assert not ray_constants.ENABLE_RAY_CLUSTER
    assert name not in os.environ
    assert ray_constants.ENABLE_RAY_CLUSTER


def test_a_node_that_leaves_while_the_nodes_are_checked_is_none_to_check(monkeypatch):
    nodes = [
        {"Alive": True, "Resources": {"CPU": 1}, "NodeID": 28 * f"{i:02}", "NodeManagerAddress": i}
        for i in range(2)
    ]
    asked = iter([TaskUnschedulableError("The node doesn't exist any more."), False])

    def get(_):
        answer = next(asked)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(ray_session.ray, "nodes", lambda: nodes)
    monkeypatch.setattr(ray_session.ray, "get", get)
    monkeypatch.setattr(ray_session, "_sees", MagicMock())
    with pytest.raises(UserError, match="node 1 cannot access"):
        ray_session.check_nodes("/no/such/folder")
