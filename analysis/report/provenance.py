"""The provenance of a run: its data, command, versions and machine."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from analysis.formatting import dimension_hint, plain
from analysis.stored.noise import noise_rate
from analysis.stored.run import Run


def subtitle(run: Run) -> str:
    """Return a line on the origin of the run."""
    data = run.space.get("train", {}).get("data", {})
    rate = noise_rate(run)
    parts = [
        f"run <b>{plain(run.name)}</b>",
        f"space {plain(run.space.get('name', '?'))}",
        plain(data.get("dataset", "")) + (f" with {rate:.0%} wrong labels" if rate else ""),
        _date(run.meta.get("created")),
    ]
    return " · ".join(part for part in parts if part)


def provenance(run: Run) -> str:
    """Return the versions and the machine of the run, as rows of a description list."""
    versions = run.meta.get("versions") or {}
    rows = {
        "Command": " ".join(run.meta.get("command") or []),
        "Created": run.meta.get("created"),
        "Searched": ", ".join(_described(path) for path in run.searched),
        "Git commit": run.meta.get("git_commit"),
        "Machine": _listed(run.meta.get("hardware") or {}),
        "Versions": ", ".join(f"{package} {version}" for package, version in versions.items()),
    }
    return "".join(
        f"<dt>{title}</dt><dd>{plain(text)}</dd>" for title, text in rows.items() if text
    )


def _described(path: str) -> str:
    hint = dimension_hint(path)
    return f"{path} ({hint})" if hint else path


def _listed(values: dict[str, Any]) -> str:
    shown = {key: value for key, value in values.items() if value not in (None, [], "")}
    return ", ".join(
        f"{key} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for key, value in shown.items()
    )


def _date(created: Any) -> str:
    try:
        moment = datetime.fromisoformat(created)
    except (TypeError, ValueError):
        return ""
    return f"{moment.day} {moment:%B %Y}"
