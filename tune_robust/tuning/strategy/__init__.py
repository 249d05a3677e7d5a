"""What to try next and what to stop: Optuna's samplers, early stopping, what is known already."""
