"""The formats in which states and low-precision parameters are stored."""
