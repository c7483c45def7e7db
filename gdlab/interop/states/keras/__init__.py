"""The states of Keras's optimizers."""
