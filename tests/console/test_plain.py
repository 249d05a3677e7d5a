"""Text is shown as it is: no name, path or value is a command to the terminal."""

import io

import pytest
from rich.table import Table

from tune_robust.console.plain import PlainConsole
from tune_robust.formatting import visible


def drawn(*things):
    output = io.StringIO()
    console = PlainConsole(file=output, width=80, force_terminal=True, color_system="standard")
    for thing in things:
        console.print(thing, highlight=False)
    return output.getvalue()


@pytest.mark.parametrize("text", ["[red]runs[/]", "[link=http://x]a[/link]", ":smile:", "[/]"])
def test_markup_is_shown_and_not_obeyed(text):
    table = Table()
    table.add_column(text)
    table.add_row(text)
    assert drawn(text) == f"{text}\n"
    assert drawn(table).count(text) == 2


def test_escape_sequences_are_written_out():
    evil = "a\x1b]0;owned\x07\x1b[2J\u202egpj\x9b31m"
    assert visible(evil) == "a\\x1b]0;owned\\x07\\x1b[2J\\u202egpj\\x9b31m"
    assert visible("two\n\tlines, é ★") == "two\n\tlines, é ★"
    assert "\x1b]" not in drawn(evil)
    assert "\u202e" not in drawn(evil)
