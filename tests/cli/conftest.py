"""What the tests of the command share: none leaves a process behind, even where it fails."""

import shutil
import sys

import pytest
import yaml

from tests.cli.command import Started, run
from tests.cli.tiny import SPACE
from tune_robust.cli import main


@pytest.fixture(autouse=True)
def _kill_what_is_left():
    before = list(Started.left)  # that of a module goes on
    yield
    for started in [started for started in Started.left if started not in before]:
        started.kill_tree()


@pytest.fixture
def searched(once, tmp_path):
    """A folder in which the tiny space was searched as ``r1``; what was said is in output.txt."""

    def search(folder):
        folder.mkdir()
        (folder / "tiny.yaml").write_text(yaml.safe_dump(SPACE))
        search = ("search", "--space", "tiny.yaml", "--name", "r1", "--no-dashboard")
        done = run(*search, cwd=folder)
        (folder / "output.txt").write_text(done.stdout)

    return shutil.copytree(once("searched", search), tmp_path / "searched", symlinks=True)


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
