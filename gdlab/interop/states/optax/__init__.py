"""Conversion of the states of optax's optimizers."""
