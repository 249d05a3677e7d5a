"""Running trials: the conductor decides, Ray Tune executes, each in its share of a machine."""
