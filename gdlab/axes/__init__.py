"""Grids of axes: finding axes in arguments, the points of their grid, and allowed names."""
