"""Early stopping: asynchronous successive halving (ASHA) and the median rule.

``rung_check`` measures how well the ranking at each rung predicts the ranking at the end.
"""
