"""Results put together: along a new dimension, over the labels of all, over the steps of all."""
