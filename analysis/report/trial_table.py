"""The trials as a sortable HTML table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from analysis.formatting import duration, is_missing, number, plain, score, sentence_case
from analysis.stored.lineage import lineage
from analysis.stored.ranking import ranking
from analysis.stored.replicates import representatives
from analysis.stored.run import Run, scored_epochs
from analysis.stored.trial import label
from tune_robust.metrics import metric

_DIAGNOSTICS = ("test_accuracy", "noisy_fit")
_STATUSES = {"done": "finished", "stopped": "stopped early"}


class _Cell(NamedTuple):
    """A cell of the table.

    ``key``: what it is sorted by (a number, text, or None, which is last). ``text``: what is shown,
    as HTML.
    """

    key: Any
    text: str
    kind: str = "number"


def trial_table(run: Run) -> str:
    """Return all trials, the ranked ones first and in order, the seeds of each setting together."""
    best_first = run.objective.ascending
    rows = run.trials.sort_values("objective", ascending=best_first, kind="stable")
    places = {trial: place for place, trial in enumerate(ranking(run).table["trial"])}
    order = rows["trial"].map(representatives(run)).map(places).fillna(len(places))
    rows = rows.iloc[order.argsort(kind="stable")].reset_index(drop=True)
    scored = scored_epochs(run.epochs, run.objective)
    for name in _DIAGNOSTICS:
        rows[name] = rows["trial"].map(scored[name]) if name in scored else math.nan
    columns = _columns(run, rows)
    head = "".join(_heading(title, cells) for title, cells in columns.items())
    body = "".join(
        f"<tr>{''.join(_cell(cells[i]) for cells in columns.values())}</tr>"
        for i in range(len(rows))
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _columns(run: Run, rows: pd.DataFrame) -> dict[str, list[_Cell]]:
    """Return titles (as HTML) and cells, without columns that would be empty."""
    name, continued = run.objective.metric, lineage(run)
    named = rows.filter(["trial", "origin", "repeats", "config"])
    columns = {
        "#": [_Cell(place, str(place)) for place in range(1, len(rows) + 1)],
        "trial": [_trial(row, continued.get(row["trial"])) for row in named.to_dict("records")],
        "ended": [_status(status) for status in rows["status"]],
        plain(sentence_case(metric(name).title)): _scores(name, rows["objective"]),
    }
    for diagnostic in _DIAGNOSTICS:
        title = plain(sentence_case(metric(diagnostic).title)) + "*"
        columns[title] = _scores(diagnostic, rows[diagnostic])
    for path in run.searched:
        columns[f"<code>{plain(path)}</code>"] = [_setting(value) for value in rows[path]]
    columns["gradient evaluations"] = [
        _Cell(_key(value), number(value)) for value in rows["gradient_evaluations"]
    ]
    if "seconds" in rows:
        columns["time"] = [_Cell(_key(value), duration(value)) for value in rows["seconds"]]
    if "error" in rows:
        columns["error"] = [_text(value) for value in rows["error"]]
    return {
        title: cells for title, cells in columns.items() if any(c.key is not None for c in cells)
    }


def _trial(row: Mapping[str, Any], continued: Mapping[str, Any] | None) -> _Cell:
    text = plain(row["trial"])
    if row["origin"] != "sampled":
        what = f"{row['origin']} {label(row)}" if row["origin"] == "baseline" else row["origin"]
        text += f' <span class="origin">{plain(what)}</span>'
    if not is_missing(row.get("repeats")):
        text += f' <span class="origin">repeats {plain(row["repeats"])}</span>'
    if continued is not None:
        what = f"continues {continued['trial']} after epoch {continued['epoch']}"
        text += f' <span class="origin">{plain(what)}</span>'
    return _Cell(row["trial"], text, "text")


def _status(status: str) -> _Cell:
    words = _STATUSES.get(status, status)
    return _Cell(words, f'<span class="status {plain(status)}">{plain(words)}</span>', "text")


def _scores(name: str, values: pd.Series) -> list[_Cell]:
    return [_Cell(_key(value), score(name, value)) for value in values]


def _setting(value: Any) -> _Cell:
    if isinstance(value, str) or is_missing(value):
        return _text(value)
    return _Cell(_key(value), plain(number(value)))


def _text(value: Any) -> _Cell:
    return _Cell(None, "") if is_missing(value) else _Cell(str(value), plain(value), "text")


def _key(value: Any) -> float | None:
    return None if is_missing(value) else float(value)


def _heading(title: str, cells: list[_Cell]) -> str:
    kind = next(cell.kind for cell in cells if cell.key is not None)
    shown = ' class="text"' if kind == "text" else ""
    return f'<th scope="col"{shown}><button type="button">{title}</button></th>'


def _cell(cell: _Cell) -> str:
    # Text is sorted as shown; numbers are sorted by value and shown rounded.
    if cell.kind == "text":
        return f'<td class="text">{cell.text}</td>'
    shown = "" if cell.key is None else f' data-key="{cell.key:.6g}"'
    return f"<td{shown}>{cell.text}</td>"
