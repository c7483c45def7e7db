"""Gradient descent, plain and with momentum."""
