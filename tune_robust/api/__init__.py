"""The verbs as functions, one file each; ``tune_robust`` has them all on one page."""
