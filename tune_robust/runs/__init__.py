"""What a search leaves: the run store, its tables and checkpoints, on this machine or remote."""
