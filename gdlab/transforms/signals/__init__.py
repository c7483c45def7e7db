"""Transformations of the updates alone, and functions that join several signals."""
