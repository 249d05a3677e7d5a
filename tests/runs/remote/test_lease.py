"""One writer on a file system without locks."""

import json

import pytest

from tune_robust.runs.remote import lease
from tune_robust.runs.remote.lease import LEASE, LOST_AFTER, Lease, TakenOver, is_held
from tune_robust.runs.remote.objects import Remote


@pytest.fixture
def run(tmp_path):
    return Remote(f"file://{tmp_path}/r1")


def elsewhere(monkeypatch):
    monkeypatch.setattr(lease.socket, "gethostname", lambda: "another-machine")


def test_a_second_writer_is_refused_while_the_first_renews(run, monkeypatch):
    first = Lease(run)
    assert is_held(run)
    elsewhere(monkeypatch)
    with pytest.raises(TakenOver, match="another process is working on the run 'r1'"):
        Lease(run, sleep=lambda seconds: first.renew())
    first.release()
    assert not is_held(run)
    Lease(run, sleep=pytest.fail)


def test_a_holder_that_no_longer_renews_is_succeeded_whatever_the_clocks_say(run, monkeypatch):
    first = Lease(run)
    elsewhere(monkeypatch)
    waited = []
    second = Lease(run, sleep=waited.append)
    assert waited[0] == LOST_AFTER
    with pytest.raises(TakenOver):
        first.renew()
    first.release()  # what it no longer has it cannot give up
    second.check()


def test_a_dead_process_of_this_machine_need_not_be_waited_for(run):
    Lease(run)
    found = json.loads(run.read(LEASE))
    run.write(LEASE, json.dumps({**found, "pid": 2**22 + 1}).encode())
    waited = []
    Lease(run, sleep=waited.append)
    assert sum(waited) < LOST_AFTER
