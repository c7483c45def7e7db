"""Checkpoints of a running sweep: files in a folder, which says what sweep they belong to."""
