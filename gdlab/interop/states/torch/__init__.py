"""Conversion of the states of torch's optimizers and of parameters."""
