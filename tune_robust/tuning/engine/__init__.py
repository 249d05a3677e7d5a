"""Run trials: the conductor decides, and Ray Tune executes."""
