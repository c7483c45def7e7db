"""The states of optax's optimizers: walked through together with gdlab's optimizer."""
