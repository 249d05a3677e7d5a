"""Paragraphs, tables and figures of the documents that benchmarks write."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from tune_robust.statistics import Estimate


def paragraph(text: str, first: str = "") -> str:
    """Return ``text`` wrapped as in the other documents, the first line after ``first``."""
    filled = textwrap.fill(
        text,
        100,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def percent(value: Estimate) -> str:
    """Return a mean and its interval in percent."""
    return f"{100 * value.mean:.1f}{_interval(value, '.1f')}"


def points(value: Estimate) -> str:
    """Return a mean difference and its interval in points of percent."""
    return f"{100 * value.mean:+.1f}{_interval(value, '+.1f')}"


def _interval(value: Estimate, form: str) -> str:
    """Return the interval in brackets; none for two values, where it would be uninformative."""
    if value.n < 3:
        return ""
    return f" ({format(100 * value.low, form)} to {format(100 * value.high, form)})"


def p_value(value: float | None) -> str:
    """Return a p value with three places."""
    if value is None:
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
