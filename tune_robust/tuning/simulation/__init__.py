"""A search without training: replayed on recorded curves, or planned from a few timed steps."""
