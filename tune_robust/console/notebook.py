"""Rich output in a notebook that is updated in place, in any front end and without widgets.

Rich's own live display needs ipywidgets in a notebook; IPython's display handles do not.
"""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console, RenderableType
from rich.jupyter import JUPYTER_HTML_FORMAT

_WIDTH = 110  # characters


class NotebookOutput:
    """A context manager for an output of the current cell, which ``update`` replaces."""

    def __init__(self, renderable: RenderableType):
        self._first = renderable
        self._handle: Any = None

    def __enter__(self) -> NotebookOutput:
        """Show the output."""
        from IPython.display import display

        self._handle = display(_mime_bundle(self._first), raw=True, display_id=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Keep the last output."""

    def update(self, renderable: RenderableType) -> None:
        """Replace the output."""
        self._handle.update(_mime_bundle(renderable), raw=True)


def _mime_bundle(renderable: RenderableType) -> dict[str, str]:
    """Return the output as HTML and as plain text."""
    console = Console(
        file=StringIO(), record=True, width=_WIDTH, force_terminal=True, force_jupyter=False
    )
    console.print(renderable)
    html = console.export_html(clear=False, inline_styles=True, code_format=JUPYTER_HTML_FORMAT)
    return {"text/html": html, "text/plain": console.export_text()}
