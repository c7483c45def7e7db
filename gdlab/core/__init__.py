"""The core: transformations, their hyperparameters and states, and their wiring."""
