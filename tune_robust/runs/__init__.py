"""The run store of a search, its tables and checkpoints, on this machine or on remote storage."""
