"""Conversion of the states of other libraries' optimizers, with one package per library."""
