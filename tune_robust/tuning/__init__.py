"""Searching a space: what to propose, the engine that runs the trials, replays, and the winners."""
