"""Refinement of a sweep: descent from its best points by derivatives of whole runs."""
