"""Transformations, the parts from which optimizers are composed."""
