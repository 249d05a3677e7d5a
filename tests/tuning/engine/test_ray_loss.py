"""A process of Ray's own dies: seen at once, told in one sentence, and not waited for."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from tune_robust.errors import UserError
from tune_robust.tuning.engine import ray_backend, ray_death, ray_session


@pytest.fixture
def dead(monkeypatch):
    """Has the local Ray lose the processes named."""

    def lose(*kinds):
        killed = []
        node = SimpleNamespace(
            dead_processes=lambda: [(kind, None) for kind in kinds],
            kill_all_processes=lambda **options: killed.append(options),
        )
        monkeypatch.setattr(ray_session.ray_worker, "_global_node", node)
        return killed

    return lose


@pytest.mark.parametrize("kind", ["raylet", "gcs_server"])
def test_what_ray_cannot_be_without_is_missed(dead, kind):
    dead("log_monitor", kind)
    with pytest.raises(ray_session.RayLost, match=kind):
        ray_session.check_alive()


def test_ray_goes_on_without_its_dashboard_and_logs(dead):
    dead("dashboard", "log_monitor")
    ray_session.check_alive()


def test_a_search_asks_at_each_proposal_and_at_each_look_at_the_storage(dead):
    dead("raylet")
    proposals = object.__new__(ray_backend._Proposals)
    with pytest.raises(ray_session.RayLost):
        proposals.suggest("any")
    with pytest.raises(ray_session.RayLost):
        ray_backend._Storage().stop_all()


def test_the_error_says_how_to_go_on():
    folder = SimpleNamespace(place="runs/r1")
    error = ray_backend._lost(SimpleNamespace(store=SimpleNamespace(folder=folder)), "raylet")
    assert isinstance(error, UserError)
    assert "'raylet' has died" in str(error)
    assert str(error).endswith("tune-robust resume r1")


def test_a_ray_of_which_a_part_is_dead_is_killed_and_not_disconnected_from(dead, monkeypatch):
    killed, shut_down = dead("gcs_server"), []
    monkeypatch.setattr(ray_session.ray, "shutdown", lambda: shut_down.append(True))
    monkeypatch.setattr("atexit.unregister", lambda function: None)
    ray_session._shut_down()
    assert killed == [{"check_alive": False, "allow_graceful": False}]
    assert not shut_down


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(ray_death, "_LOOKS_EVERY", 0.01)
    monkeypatch.setattr(ray_death, "_GRACE", 0.05)


def test_a_search_that_is_blocked_in_a_dead_ray_is_ended(dead, at_once):
    dead("gcs_server")
    ended, lost = threading.Event(), []
    with ray_death.watched_ray(lambda error: (lost.append(error), ended.set())):
        assert ended.wait(60)
    assert [str(error) for error in lost] == ["gcs_server"]


def test_a_search_that_ends_by_itself_is_let_be(dead, at_once, monkeypatch):
    monkeypatch.setattr(ray_death, "_GRACE", 60)
    dead("gcs_server")
    lost = []
    with ray_death.watched_ray(lost.append):
        (watching,) = (t for t in threading.enumerate() if t.name == "ray-death")
    watching.join(60)
    assert not watching.is_alive()
    assert not lost


END = """
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from tune_robust.tuning.engine import ray_backend, ray_session

def close():
    print("closed")
    raise OSError("the storage has gone too")

store = SimpleNamespace(folder=SimpleNamespace(place="runs/r1"))
conductor = SimpleNamespace(store=store, close=close)
ray_backend._end_process(conductor, ray_session.RayLost("gcs_server"))
"""


def test_the_end_of_a_blocked_search_stores_all_and_says_how_to_go_on(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", END], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == "closed\n"
    assert done.stderr.startswith("Error: Ray's process 'gcs_server' has died")
    assert done.stderr.endswith("tune-robust resume r1\n")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "ray.exceptions.ActorDiedError: The actor died. class_name: Trial\nactor_id: 4f\n"
            "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR "
            "Worker exit detail: Worker unexpectedly exits with a connection error code 2. End of "
            "file. Some common causes include: (1) the process was killed by the OOM killer, (2) "
            "ray stop --force was called, or (3) the worker crashed unexpectedly due to SIGSEGV.",
            "it ended unexpectedly, perhaps killed or out of memory",
        ),
        ("ray.exceptions.OutOfMemoryError: Task was killed\nby the OOM killer", "memory was full"),
        ("The node was terminated: preempted", "its node was terminated"),
        ("Something new happened. actor_id: 12", "Something new happened"),
        ("", "Ray gave no reason"),
    ],
)
def test_why_a_process_was_lost_is_a_few_words(tmp_path, said, expected):
    file = tmp_path / "error.txt"
    file.write_text(f"Failure # 1 (occurred at 2026-01-01)\n{said}\n")
    found = ray_backend._why_lost(SimpleNamespace(error_file=str(file)))
    assert expected in found
    assert "actor_id" not in found
    assert "\n" not in found


@pytest.fixture
def restored_ctrl_c():
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("ctrl_c", [signal.default_int_handler, signal.SIG_IGN])
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP])
def test_a_closed_terminal_ends_a_search_as_ctrl_c_does(end, ctrl_c, restored_ctrl_c):
    def closed():
        with ray_backend._signals_as_ctrl_c():
            os.kill(os.getpid(), end)
            time.sleep(5)

    signal.signal(signal.SIGINT, ctrl_c)
    before = signal.getsignal(end)
    with pytest.raises(KeyboardInterrupt):
        closed()
    assert signal.getsignal(end) is before


def test_a_search_in_a_thread_leaves_the_signals_alone():
    def enter():
        with ray_backend._signals_as_ctrl_c():
            return signal.getsignal(signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(enter).result() is signal.getsignal(signal.SIGTERM)


def test_ray_tunes_handler_of_ctrl_c_does_not_outlive_the_search(restored_ctrl_c):
    before = signal.getsignal(signal.SIGINT)
    with ray_backend._signals_as_ctrl_c():
        signal.signal(signal.SIGINT, lambda *_: None)
    assert signal.getsignal(signal.SIGINT) is before
