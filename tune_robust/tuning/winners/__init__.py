"""What comes after a search: winners exported, retrained on fresh seeds, confirmed."""
