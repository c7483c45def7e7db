"""Averages, sums and maxima of what came before, and scaling by them."""
