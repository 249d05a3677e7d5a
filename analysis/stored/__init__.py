"""Stored runs: their tables, dimensions, ranking, noise and confirmation."""
