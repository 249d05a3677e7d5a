"""The figures, one file each: a function returns the plain data, another plots them."""
