"""The winners of a search: exported, retrained on fresh seeds, and compared."""
