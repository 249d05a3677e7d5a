"""The results table of a grid: a row per method and setting, a column per label set."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.formatting import MISSING, difference, number, plain, score, sentence_case
from analysis.stored.ranking import label_set_paths
from analysis.stored.replicates import is_repeated, settings
from analysis.stored.run import Run, scored_epochs
from analysis.stored.trial import label
from tune_robust.metrics import metric

_RECORDED = "test_accuracy"


def results_table(run: Run) -> pd.DataFrame:
    """Return every finished setting on every label set.

    There is one row per method (a baseline is one of its own), settings and label set, over the
    trials that share them (a grid's seeds). Columns: method, the searched paths, trials, the
    objective's mean and standard deviation (``<metric>``, ``<metric>_sd``), test_accuracy and its
    standard deviation if recorded, and seconds_per_epoch. Scores are comparable within a label set
    only.
    """
    done = run.trials[run.trials["status"] == "done"].copy()
    scored = scored_epochs(run.epochs, run.objective)
    name = run.objective.metric
    done["method"] = [_method(row) for row in done.to_dict("records")]
    done[name] = done["trial"].map(scored[name]).astype("float64")
    metrics = [name]
    if _RECORDED in scored:
        done[_RECORDED] = done["trial"].map(scored[_RECORDED]).astype("float64")
        metrics.append(_RECORDED)
    if "seconds" in scored:
        done["seconds_per_epoch"] = (
            done["trial"].map(scored["seconds"] / scored["epoch"]).astype("float64")
        )
    keys = list(dict.fromkeys(["method", *settings(run)]))
    groups = done.groupby(keys, dropna=False, sort=True)
    table = groups.size().rename("trials").to_frame()
    for each in metrics:
        table[each], table[f"{each}_sd"] = groups[each].mean(), groups[each].std()
    if "seconds" in scored:
        table["seconds_per_epoch"] = groups["seconds_per_epoch"].mean()
    return table.reset_index()


def _method(row: dict[str, Any]) -> str:
    named = row.get("method")
    method = named if isinstance(named, str) else label(row)
    method = "trial" if method == row["trial"] else method
    return f"{method} baseline" if row["origin"] == "baseline" else method


def label_set_table(run: Run) -> str:
    """Return the table as HTML: a row per method and settings, a column per label set.

    Each cell is the objective and, after a slash, test accuracy; the best of a column is bold. If a
    setting was repeated with several seeds, both are means, with the standard deviation of the
    former. Empty for a run with one label set and no repeated settings.
    """
    paths = label_set_paths(run)
    if not (paths or is_repeated(run)) or (table := results_table(run)).empty:
        return ""
    name = run.objective.metric
    keys = [p for p in table.columns[: list(table).index("trials")] if p not in paths]
    sets = table[paths].drop_duplicates() if paths else pd.DataFrame(index=[0])
    best = run.objective.best_of
    head = "".join(f"<th>{plain(key)}</th>" for key in keys)
    head += "".join(f"<th>{plain(_named(paths, row))}</th>" for _, row in sets.iterrows())
    leaders = [best(_within(table, paths, row)[name]) for _, row in sets.iterrows()]
    body = ""
    for values, rows in table.groupby(keys, dropna=False, sort=False):
        cells = "".join(f"<td>{plain(number(value))}</td>" for value in values)
        for (_, label_set), leader in zip(sets.iterrows(), leaders, strict=True):
            cells += f"<td>{_cell(name, _within(rows, paths, label_set), leader)}</td>"
        body += f"<tr>{cells}</tr>"
    return f"<table class='facts'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def label_set_heading(run: Run) -> str:
    """Return a caption of the table."""
    if label_set_paths(run):
        return "Every setting on every label set"
    return "Every setting, averaged over its seeds"


def label_set_guide(run: Run) -> str:
    """Return an explanation of the table."""
    title = sentence_case(metric(run.objective.metric).title)
    return (
        f"{title} / test accuracy* of the trials that finished; compare down a column only, where "
        "the best is bold. Where a setting was repeated with several seeds, a cell is the mean and "
        "the standard deviation over them."
    )


def _named(paths: list[str], row: pd.Series) -> str:
    if not paths:
        return "score"
    return ", ".join(f"{path.removeprefix('data.')} {number(row[path])}" for path in paths)


def _within(table: pd.DataFrame, paths: list[str], label_set: pd.Series) -> pd.DataFrame:
    if not paths:
        return table
    same = [table[p].isna() if pd.isna(label_set[p]) else table[p] == label_set[p] for p in paths]
    return table[pd.concat(same, axis=1).all(axis=1)]


def _cell(name: str, rows: pd.DataFrame, leader: float) -> str:
    if rows.empty:
        return MISSING
    row = rows.iloc[0]
    shown = score(name, row[name])
    if row["trials"] > 1:
        shown += f" ± {difference(name, row[f'{name}_sd'])}"
    if row[name] == leader:
        shown = f"<b>{shown}</b>"
    return f"{shown} / {score(_RECORDED, row[_RECORDED])}" if _RECORDED in rows else shown
