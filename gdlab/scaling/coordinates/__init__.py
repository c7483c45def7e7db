"""Coordinate checks: sizes of activations over the width of a model."""
