"""Several runs side by side: as plain data, text, figures and a page."""
