"""A progress bar for long operations in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(what: str, total: int, *, size: bool = False) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr, if that is a terminal, and yield the function that advances it.

    ``total`` counts items or, with ``size``, bytes.
    """
    from rich import progress as parts
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda count: None
        return
    count = parts.DownloadColumn() if size else parts.MofNCompleteColumn()
    columns = (parts.TextColumn("{task.description}"), parts.BarColumn(), count)
    with parts.Progress(*columns, parts.TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(what, total=total or None)
        yield lambda count: bar.advance(task, count)
