"""What to type next."""

from __future__ import annotations

import shlex

from analysis.formatting import plain
from analysis.report.summary import Summary
from analysis.stored.run import Run
from tune_robust.runs.naming import run_argument


def next_steps(run: Run, summary: Summary) -> str:
    """The commands to type next, as HTML, with a sentence on what they are for."""
    commands = _commands(run, summary)
    if summary.winner is None:
        purpose = "See the progress of the trials, and go on with the search:"
    elif commands[0].startswith("tune-robust confirm"):
        purpose = (
            "Confirm the best trials on fresh seeds before you publish a score. Then export the "
            "winner's configuration and train it again, which gives the same score:"
        )
    else:
        purpose = (
            "Export the winner's configuration and train it again, which gives the same score:"
        )
    return f"<p>{purpose}</p><pre><code>{plain(chr(10).join(commands))}</code></pre>"


def _commands(run: Run, summary: Summary) -> list[str]:
    """Finish the run, or confirm the winner, export it and train it again."""
    name, best = run_argument(run.place), summary.winner
    if best is None:
        return [f"tune-robust status {name}", f"tune-robust resume {name}"]
    config = shlex.quote(str(run.path / "exported" / f"1_{best.trial}.yaml"))
    done = summary.confirmation or "confirms" in run.meta
    commands = [] if done else [f"tune-robust confirm {name}"]
    commands += [f"tune-robust export {name} --top 1", f"tune-robust train --config {config}"]
    return commands + ([f"tune-robust export {name} --winner plateau"] if summary.region else [])
