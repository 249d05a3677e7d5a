"""The commands as functions, with one file each; ``tune_robust`` exports them all."""
