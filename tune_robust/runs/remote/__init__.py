"""Runs on a remote file system, such as an object store."""
