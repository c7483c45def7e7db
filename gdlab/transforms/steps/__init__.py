"""Work of some steps only, guards against bad steps, and measurements of all."""
