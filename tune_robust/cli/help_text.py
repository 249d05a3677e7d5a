"""Help texts from docstrings: paragraphs are wrapped by the terminal, examples stay as written."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def help_text(verb: Callable[..., Any]) -> str:
    """The docstring of a verb with each paragraph on one line.

    Typer prints the lines of a docstring as they are, so that a paragraph wrapped for the source
    file would break again wherever the terminal is narrower. A paragraph with indented lines, such
    as the examples, keeps its lines.
    """
    paragraphs = (inspect.getdoc(verb) or "").split("\n\n")
    return "\n\n".join(p if "\n " in p else p.replace("\n", " ") for p in paragraphs)
