"""What the trials say of settings not tried: the Gaussian process and what is read off it."""
