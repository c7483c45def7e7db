"""The transformation, its hyperparameters and its wiring."""
