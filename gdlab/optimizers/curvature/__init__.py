"""Deterministic and second-order methods, for losses that are the same function at every step."""
