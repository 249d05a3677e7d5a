"""The frame of every page: one self-contained HTML file with its style, script and Plotly."""

from __future__ import annotations

import base64
import gzip
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs

from tune_robust.errors import UserError
from tune_robust.files import write_aside


def fill_page(room: str, body: str, title: str, **parts: str) -> str:
    """Return a whole page: the template ``body`` of the package ``room``, filled with ``parts``."""
    return _fill(
        __package__,
        "shell.html",
        title=title,
        style=_asset(__package__, "page.css"),
        body=_fill(room, body, **parts),
        plotly=_packed_plotly(),
        script=_asset(__package__, "page.js"),
    )


def _fill(room: str, template: str, **parts: str) -> str:
    return Template(_asset(room, template)).substitute(parts)


def _asset(room: str, name: str) -> str:
    return (files(room) / name).read_text(encoding="utf-8")


@cache
def _packed_plotly() -> str:
    """Return Plotly's script, compressed to two fifths of its size and encoded as text."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


def write_page(path: Path, text: str) -> None:
    """Write a page, whole or not at all.

    Raises:
        UserError: The page cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, text.encode())
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}. Choose another file with --out."
        ) from error
