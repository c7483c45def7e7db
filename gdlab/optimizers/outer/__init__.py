"""Outer steps around other methods, from what these have done to the parameters."""
