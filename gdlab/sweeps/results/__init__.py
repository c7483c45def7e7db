"""Results of sweeps: labelled, selected, scored, merged, and kept in files."""
