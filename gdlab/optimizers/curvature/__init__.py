"""Deterministic and second-order methods, for losses that are one function at every step."""
