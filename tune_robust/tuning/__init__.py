"""Search a space: proposals, the engine that runs the trials, simulation, and the winners."""
