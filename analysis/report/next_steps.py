"""The next commands that the report suggests."""

from __future__ import annotations

import shlex

from analysis.formatting import plain
from analysis.report.summary import Summary
from analysis.stored.ranking import ranking
from analysis.stored.run import Run
from tune_robust.runs.meta import retrained_run
from tune_robust.runs.naming import run_argument


def next_steps(run: Run, summary: Summary) -> str:
    """Return the suggested commands as HTML, with a sentence on their purpose."""
    commands = _commands(run, summary)
    return f"<p>{_purpose(run, summary)}</p><pre><code>{plain(chr(10).join(commands))}</code></pre>"


def _purpose(run: Run, summary: Summary) -> str:
    best = summary.winner
    if best is None:
        return "See the progress of the trials, and continue the search:"
    first = "If the search has been interrupted, continue it. " if summary.waiting else ""
    if not _is_confirmed(run, summary):
        first += "Confirm the best trials on fresh seeds before you publish a score. Then export"
    else:
        first += "Export"
    which = "leader" if summary.confirmation is not None else "winner"
    score = "the same score" if best.seeds == 1 else "the score of its first seed"
    return f"{first} the {which}'s configuration and train it again, which gives {score}:"


def _is_confirmed(run: Run, summary: Summary) -> bool:
    return summary.confirmation is not None or retrained_run(run.meta) is not None


def _commands(run: Run, summary: Summary) -> list[str]:
    """Return commands that finish the run, or confirm, export and retrain the winner."""
    name, best = run_argument(run.place), summary.winner
    if best is None:
        return [f"tune-robust status {name}", f"tune-robust resume {name}"]
    place, trial = _to_export(run, summary, best.trial)
    config = shlex.quote(str(run.path / "exported" / f"{place}_{trial}.yaml"))
    commands = [f"tune-robust resume {name}"] if summary.waiting else []
    commands += [] if _is_confirmed(run, summary) else [f"tune-robust confirm {name}"]
    commands += [f"tune-robust export {name} --top {place}", f"tune-robust train --config {config}"]
    return commands + ([f"tune-robust export {name} --winner plateau"] if summary.region else [])


def _to_export(run: Run, summary: Summary, best: str) -> tuple[int, str]:
    """Return the rank and the name of the leading trial, by the confirmation if there is one."""
    ranked = ranking(run).table["trial"].tolist()
    leader = summary.confirmed.trial if summary.confirmed is not None else best
    return (ranked.index(leader) + 1, leader) if leader in ranked else (1, best)
