"""The page of an audit of labels, and its part of the report."""
