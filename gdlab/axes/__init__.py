"""Grids of axes: where they stand in arguments, their points, and the names they may have."""
