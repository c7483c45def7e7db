"""Gradients and curvature elsewhere than at the parameters."""
