"""Averages, sums and maxima over past steps, and scaling by them."""
