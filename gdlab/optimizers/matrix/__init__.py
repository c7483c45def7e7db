"""Methods for matrices, with steps whose singular values or norms have a given size."""
