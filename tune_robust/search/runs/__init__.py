"""What a search leaves: the run store, its tables and checkpoints, here or on a remote file system."""
