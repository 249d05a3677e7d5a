"""Terminals that know few characters."""

import io
import sys

import pytest

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
