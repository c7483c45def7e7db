"""Checkpoints of a running sweep: what is kept, where, and by what identity."""
