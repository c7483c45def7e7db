"""What states and low-precision parameters are stored in."""
