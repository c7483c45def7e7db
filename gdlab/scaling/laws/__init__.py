"""Best learning rates, the laws that they follow over sizes, and whether they transfer."""
