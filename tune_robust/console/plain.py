"""A console that shows text as it is: nothing in a name, a path or a value is a command to it."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from tune_robust.formatting import visible


class PlainConsole(Console):
    """Rich's console without markup: ``[red]`` is shown, and not obeyed."""

    def __init__(self, **settings: Any):
        super().__init__(**settings, markup=False, emoji=False)

    def render_str(self, text: str, **settings: Any) -> Text:
        """As Rich does, of the visible text."""
        return super().render_str(visible(text), **settings)
