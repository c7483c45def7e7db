"""Methods with differential privacy for single examples."""
