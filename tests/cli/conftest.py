"""What the tests of the command share: none leaves a process behind, even where it fails."""

import sys

import pytest

from tests.cli.command import Started
from tune_robust.cli import main


@pytest.fixture(autouse=True)
def _kill_what_is_left():
    yield
    for started in list(Started.left):
        started.kill_tree()


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """What the command says to a mistake, exit code 2 and no traceback.

    In this process: another would take seconds to start. It works in the test's folder.
    """

    def refused(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["tune-robust", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert end.value.code == 2, said
        assert "Traceback" not in said.err
        return said.err

    return refused
