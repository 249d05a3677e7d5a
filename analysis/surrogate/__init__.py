"""One model of a metric over all searched dimensions, and what follows from it."""
