"""The combination of results: along a new dimension, and over the union of labels or steps."""
