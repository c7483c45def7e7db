"""Progress of whatever takes long: bars in terminals and notebooks."""
