"""One live HTML page of a function and its optimizers."""
