"""Methods that need no learning-rate schedule, or find the learning rate themselves."""
