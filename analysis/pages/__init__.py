"""What every HTML page shares: the frame, the style, the script and the sections."""
