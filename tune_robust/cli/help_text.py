"""Help texts from docstrings: the terminal wraps the paragraphs, and examples stay as written."""

from __future__ import annotations


def help_text(docstring: str) -> str:
    """Return a cleaned docstring with each paragraph on one line.

    Typer prints the lines of a docstring as they are, so a paragraph that is wrapped for the source
    file would break a second time in a narrower terminal. A paragraph with indented lines, such as
    the examples, keeps its lines.
    """
    paragraphs = docstring.split("\n\n")
    return "\n\n".join(p if "\n " in p else p.replace("\n", " ") for p in paragraphs)
