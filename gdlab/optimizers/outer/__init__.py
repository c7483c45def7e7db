"""Outer methods, whose steps follow the displacement by an inner method."""
