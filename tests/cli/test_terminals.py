"""Terminals that know few characters."""

import io
import sys
from pathlib import Path

import pytest

import tune_robust
from tune_robust.cli import main


@pytest.fixture
def latin(monkeypatch):
    """Runs the command on a terminal of Latin-1; its exit code and all that it printed."""

    def run(*arguments):
        printed = io.BytesIO()
        for stream in ("stdout", "stderr"):
            terminal = io.TextIOWrapper(printed, encoding="latin-1", write_through=True)
            monkeypatch.setattr(sys, stream, terminal)
        monkeypatch.setattr(sys, "argv", ["tune-robust", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, printed.getvalue().decode("latin-1")

    return run


def test_a_name_that_latin_1_does_not_know_is_shown_with_question_marks(latin):
    code, printed = latin("plan", "--space", "größe-ρ-✓")
    assert code == 2
    assert "größe-?-?" in printed


@pytest.mark.parametrize(
    ("verb", "function", "written"),
    [
        ("export", "export", [Path("a\x1b[2J.yaml")]),
        ("report", "report", Path("a\x1b[2J.yaml")),
    ],
)
def test_a_name_that_is_a_command_to_the_terminal_is_written_out(
    latin, monkeypatch, verb, function, written
):
    monkeypatch.setattr(tune_robust, function, lambda *_, **__: written)
    assert latin(verb, "r") == (0, "a\\x1b[2J.yaml\n")


def test_standard_output_on_a_full_disk_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tune-robust", "spaces", "list", "--json"])
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "Error: standard output: No space left on device.\n"
