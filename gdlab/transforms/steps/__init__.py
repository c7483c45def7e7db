"""Work done at some steps only, guards against bad steps, and measurements of all steps."""
