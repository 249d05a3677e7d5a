"""The common parts of all HTML pages: the frame, the style, the script and the sections."""
