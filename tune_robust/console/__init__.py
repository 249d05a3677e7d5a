"""What is shown in a terminal or a notebook while a search runs."""
