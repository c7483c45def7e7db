"""Methods for matrices, whose steps have singular values or norms of a given size."""
