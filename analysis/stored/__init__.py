"""A stored run read back: its tables, dimensions, ranking, noise and confirmation."""
