"""Results of sweeps: labelled arrays, selection, scores, merging and files."""
