"""The curvature of a loss."""
