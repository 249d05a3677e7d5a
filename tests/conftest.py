"""What all tests share: how Hypothesis explores, and one thread for PyTorch."""

import gc
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start, too

import pytest
from filelock import FileLock
from hypothesis import settings

# Timings vary with the machine's load; a submission must not fail on an example nobody has seen.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

pytest_plugins = ["tests.s3", "tests.cluster"]

# What is imported and collected stays: to look for garbage in it would take a fifth of all time.
gc.disable()


def pytest_addoption(parser):
    parser.addoption(
        "--trial-processes",
        type=int,
        default=1,
        help="Train each trial of the tests on a cluster in so many processes.",
    )


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items):
    """The slow tests first: what runs side by side then ends at about the same time."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id):
    """``once(name, fill)``: the folder ``name``, which ``fill(folder)`` has filled.

    Once for all processes that run tests: read it, do not change it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent

    def filled(name, fill):
        folder, done = shared / name, shared / f"{name}.done"
        with FileLock(shared / f"{name}.lock"):
            if not done.exists():
                fill(folder)
                done.touch()
        return folder

    return filled


@pytest.fixture(autouse=True, scope="session")
def _no_wait_for_the_disk():
    """No test cuts the power; tests/test_files.py sees to the order of what is synchronised."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True)
def _one_thread():
    """PyTorch sums in one order, wherever it is imported at all: `analysis` does without it."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
