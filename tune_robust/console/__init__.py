"""The display of a running search in a terminal or a notebook."""
