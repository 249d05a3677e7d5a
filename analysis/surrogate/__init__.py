"""Predictions for untried settings by a Gaussian process, and what follows from them."""
