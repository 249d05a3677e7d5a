"""The help of every verb: it fits a narrow terminal, and its paragraphs and examples stay whole."""

import inspect
import textwrap

import pytest
from typer.testing import CliRunner

from tune_robust.cli import app, datasets, spaces
from tune_robust.cli.help_text import help_text

WIDTH = 80
VERBS = {
    (*group, command.name or command.callback.__name__.replace("_", "-")): command.callback
    for group, commands in (((), app), (("spaces",), spaces.app), (("datasets",), datasets.app))
    for command in commands.registered_commands
}


def test_a_paragraph_is_one_line_and_examples_keep_theirs():
    docstring = "Do\nsomething.\n\nExamples:\n  tune-robust verb \\\n    --option"
    assert help_text(docstring) == docstring.replace("Do\n", "Do ")


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_help_fills_the_lines_of_its_paragraphs_and_breaks_no_example(verb):
    result = CliRunner().invoke(app, [*verb, "--help"], env={"COLUMNS": str(WIDTH)})
    assert result.exit_code == 0
    shown = [line.strip() for line in result.stdout.splitlines()]
    *paragraphs, examples = inspect.getdoc(VERBS[verb]).split("\n\n")
    assert examples.startswith("Examples:")
    assert f"  tune-robust {' '.join(verb)} " in examples + " "
    assert {line.strip() for line in examples.splitlines()} <= set(shown)
    for paragraph in paragraphs:
        # A blank column on either side.
        lines = textwrap.wrap(" ".join(paragraph.split()), WIDTH - 2, break_on_hyphens=False)
        assert "\n".join(lines) in "\n".join(shown)
