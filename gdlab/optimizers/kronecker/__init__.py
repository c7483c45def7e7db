"""Methods that precondition each axis of an array by a matrix."""
