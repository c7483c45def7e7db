"""The states of other libraries' optimizers, carried over and back."""
