"""A stored trial: its configuration, its searched settings and its name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.stored.run import Run


def configuration(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's resolved configuration; empty if none was stored."""
    config = row.get("config")
    return json.loads(config) if isinstance(config, str) else {}


def settings(run: Run, row: pd.Series) -> dict[str, Any]:
    """Return the searched settings that apply to a trial."""
    return {path: row[path] for path in run.searched if not pd.isna(row[path])}


def label(row: Mapping[str, Any]) -> str:
    """Return the name of a trial in figures: its method if it has one, otherwise its own name.

    Plain training, the method ``sgd``, is named by its optimizer: ``adamw`` is not SGD.
    """
    config = configuration(row)
    method = config.get("method")
    if method == "sgd":
        return (config.get("optimizer") or {}).get("name", method)
    return method or row["trial"]
