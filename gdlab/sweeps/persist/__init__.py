"""Checkpoints of a running sweep: files in a folder, and a manifest that identifies the sweep."""
