"""Optimizers by family, each composed of transformations."""
