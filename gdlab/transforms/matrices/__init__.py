"""Methods for matrices: orthogonalization, inverse roots, eigenbases, subspaces."""
