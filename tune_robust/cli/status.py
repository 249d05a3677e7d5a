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
    from tune_robust.search.pareto import pareto_front
    from tune_robust.search.rung_check import check_run
    from tune_robust.search.space import Space
    from tune_robust.search.store import ENDED, find_run, read_record

    folder = find_run(run, storage)
    space = Space.from_document(folder.read_meta()["space"])
    objective = objective_of(space)
    record = read_record(folder)
    trials = sorted(
        record.trials.values(), key=lambda t: objective.sort_key(objective.value(t.epochs))
    )
    check = check_run(space, record)
    ended = sum(trial.status in ENDED for trial in trials)
    if as_json:
        document = _document(folder, space, trials, ended)
        if space.objective.against:
            document["pareto_front"] = [trial.name for trial in pareto_front(trials, space)]
        document["rung_check"] = check.document() if check else None
        print(json.dumps(document, indent=2))
        return

    from tune_robust.cli.front import print_front
    from tune_robust.cli.progress import open_console, trial_table
    from tune_robust.cli.rungs import print_rungs
    from tune_robust.search.export import ranked

    console = open_console()
    best = ranked(trials, objective)
    console.print(trial_table(trials, space, best[0] if best else None))
    live = "running now" if folder.is_live() else "not running"
    if space.objective.against:
        print_front(console, pareto_front(trials, space), space)
    if check and (check.enough or space.budget.sentinels):
        print_rungs(console, check, space.budget.unit)
    console.print(f"\n{ended} of {space.trials} trials have ended; {live}.", highlight=False)
    for trial in trials:
        if trial.error:
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
                "sentinel": trial.sentinel,
                "values": trial.values,
                "epoch": max(trial.epochs, default=0),
                "metrics": trial.last,
                "error": trial.error,
            }
            for trial in trials
        ],
    }
