"""The trials of a search as runs of an experiment tracker: Weights & Biases or MLflow."""
