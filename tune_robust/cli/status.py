"""``tune-robust status``: where a run stands, while it runs or after."""

from __future__ import annotations

import json

from tune_robust.cli.options import STORAGE, Json, Run, Storage


def status(run: Run, storage: Storage = STORAGE, as_json: Json = False) -> None:
    """Show a run's trials, best first, and what is left of it.

    \b
    Examples:
      tune-robust status r1
      tune-robust status runs/r1 --json
    """
    from tune_robust.search.objective import objective_of
    from tune_robust.search.space import Space
    from tune_robust.search.store import ENDED, find_run, read_trials

    folder = find_run(run, storage)
    space = Space.from_document(folder.read_meta()["space"])
    objective = objective_of(space)
    trials = sorted(
        read_trials(folder).values(), key=lambda t: objective.sort_key(objective.value(t.epochs))
    )
    ended = sum(trial.status in ENDED for trial in trials)
    if as_json:
        print(json.dumps(_document(folder, space, trials, ended), indent=2))
        return

    from tune_robust.cli.progress import open_console, trial_table
    from tune_robust.search.export import ranked

    console = open_console()
    best = ranked(trials, objective)
    console.print(trial_table(trials, space, best[0] if best else None))
    live = "running now" if folder.is_live() else "not running"
    console.print(f"\n{ended} of {space.trials} trials have ended; {live}.", highlight=False)
    for trial in trials:
        for reason in trial.retried:
            console.print(f"{trial.name}: {reason}", style="yellow", markup=False)
        if trial.status == "failed":
            console.print(f"{trial.name} failed: {trial.error.strip()}", style="red", markup=False)
    if ended < space.trials and not folder.is_live():
        console.print(f"Go on with: tune-robust resume {folder.path}", highlight=False)


def _document(folder, space, trials, ended) -> dict:
    return {
        "run": folder.path.name,
        "live": folder.is_live(),
        "ended": ended,
        "total": space.trials,
        "trials": [
            {
                "trial": trial.name,
                "origin": trial.origin,
                "status": trial.status,
                "values": trial.values,
                "epoch": max(trial.epochs, default=0),
                "metrics": trial.last,
                "error": trial.error,
                "retried": trial.retried,
            }
            for trial in trials
        ],
    }
