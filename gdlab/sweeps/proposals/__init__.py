"""Proposals: the points of a sweep chosen in batches, from what was measured before."""
