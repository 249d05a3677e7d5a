"""The strategy of a search: Optuna's samplers, the study, and warm starts."""
