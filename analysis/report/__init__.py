"""The report of one run as an HTML page."""
