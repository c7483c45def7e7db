"""Pictures of the paths and losses of runs."""
