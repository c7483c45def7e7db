"""Arrays as matrices: orthogonal factors, inverse roots, eigenbases, subspaces."""
