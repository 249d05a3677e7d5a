"""Compare several runs: as plain data, text, figures and an HTML page."""
