"""Search a space, look at the run, and export its winner. Takes about a minute on two CPU cores.

python examples/search_and_look.py
"""

import tune_robust as tr

# Handwritten digits, half of whose training labels are wrong. The defaults of this space are 32
# trials of 40 epochs; here everything is small, so that you can see it work.
run = tr.search(
    "saner_digits",
    name="first",
    trials=4,
    settings={
        "train.epochs": 4,
        "train.model.width": 0.25,
        "budget.grace": 4,
        "searcher.startup": 2,
    },
)

# The tables of the run are data frames: one row per trial, and one per trial and epoch.
best_first = run.trials.sort_values("objective", ascending=False)
print(best_first[["trial", "origin", "status", "sam.rho", "saner.alpha", "objective"]])
print(run.epochs.groupby("trial")["val_accuracy"].max())

# Figures are Plotly figures: show() opens them in a browser or a notebook.
tr.sensitivity(run, x="sam.rho", y="saner.alpha").write_html("sensitivity.html")
tr.figures.learning_curves(run).write_html("learning_curves.html")

# A page with all figures, and the best configuration as a YAML file that `tr.train` and
# `tune-robust train` accept.
print("Report:  ", tr.report(run))
print("Exported:", tr.export(run, top=1)[0])
