"""The states of torch's optimizers, and parameters."""
