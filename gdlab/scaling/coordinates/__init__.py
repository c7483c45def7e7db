"""Sizes of activations over the width of a model."""
