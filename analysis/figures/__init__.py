"""The figures, one file each: plain data first, then a Plotly figure of it."""
