"""The states of other libraries' optimizers, carried over and back, a room for each library."""
