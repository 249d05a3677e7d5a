"""Extend the run of search_and_look.py, and retrain its best trial on fresh seeds.

python examples/search_and_look.py
python examples/resume_and_confirm.py
"""

import tune_robust as tr

# A run is given by its name in the folder "runs", or by its path. It can be read at any time, also
# while its search is running in another process.
run = tr.load_run("first")
print(f"{len(run.trials)} trials, best {run.objective.metric} {run.trials['objective'].max():.3f}")

# resume() finishes what an interruption or a crash has left. Here it also adds one trial.
run = tr.resume(run, trials="+1")

# The best score of many trials is partly due to chance: train it again on seeds that the search has
# not used, together with the baseline. These are the scores to publish.
found = tr.confirm(run, top=1, seeds=2)
print(found["conclusion"])
for row in found["trials"]:
    print(row["trial"], row["origin"], row["mean"], row["low"], row["high"])
