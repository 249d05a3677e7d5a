"""`status --follow`: what another process shows of a search while it runs."""

import json
import threading
import time

import pytest
from rich.console import Console

from tests.cli.command import run
from tests.tuning.simulated import peak, simulate, space
from tune_robust.cli.follow import follow
from tune_robust.runs.folder import RunFolder


@pytest.mark.parametrize("terminal", [False, True])
def test_it_shows_each_end_and_stops_when_the_search_does(tmp_path, terminal):
    def slow(trial, epoch):
        time.sleep(0.03)
        return peak(trial, epoch)

    folder = RunFolder(tmp_path / "r")
    search = threading.Thread(target=simulate, args=(space(), folder.path, slow))
    search.start()
    while not folder.is_live():
        time.sleep(0.01)
    console = Console(force_terminal=terminal, width=120, record=True)
    follow(console, space(), folder)
    search.join()
    text = console.export_text()
    assert "[12/12] t00" in text if not terminal else "elapsed" in text


def test_a_run_that_is_over_is_shown_at_once(tmp_path):
    simulate(space(), tmp_path / "r1")
    done = run("status", "./r1", "--follow", cwd=tmp_path)
    assert "12 of 12 trials have ended; not running." in done.stdout


def test_following_and_json_are_two_things(tmp_path, refused):
    simulate(space(), tmp_path / "r1")
    assert "use only one" in refused("status", "./r1", "--follow", "--json")
    assert json.loads(run("status", "./r1", "--json", cwd=tmp_path).stdout)["ended"] == 12
