"""Proposals: the points of a sweep chosen in batches, from the scores of earlier batches."""
