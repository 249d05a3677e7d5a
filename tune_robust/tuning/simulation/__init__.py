"""Simulated searches: replays of recorded curves, and plans from a few timed steps."""
