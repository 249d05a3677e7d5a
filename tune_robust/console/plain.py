"""A console that prints text literally, without interpreting markup in names or values."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from tune_robust.formatting import visible


class PlainConsole(Console):
    """Rich's console without markup: ``[red]`` is printed literally."""

    def __init__(self, **settings: Any):
        super().__init__(**settings, markup=False, emoji=False)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Render the text as Rich does, with control characters made visible."""
        return super().render_str(visible(text), **settings)
