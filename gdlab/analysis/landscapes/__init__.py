"""A loss on a plane through its parameters."""
