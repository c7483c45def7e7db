"""Methods that step along signs."""
