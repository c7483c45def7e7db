"""The largest pole of many small matrices at once."""

import numpy as np


def spectral_radii(matrices: np.ndarray) -> np.ndarray:
    """The largest modulus of an eigenvalue of matrices (…, d, d), ∞ where one is not finite."""
    return np.abs(dominant_poles(matrices))


def dominant_poles(matrices: np.ndarray) -> np.ndarray:
    """The eigenvalue of largest modulus, ∞ where a matrix is not finite."""
    finite = np.all(np.isfinite(matrices), axis=(-2, -1))
    safe = np.where(finite[..., None, None], matrices, 0.0)
    d = matrices.shape[-1]
    if d == 1:
        poles = safe[..., 0, 0].astype(complex)
    elif d == 2:
        poles = _dominant_of_two(safe)
    else:
        all_poles = np.linalg.eigvals(safe)
        largest = np.argmax(np.abs(all_poles), axis=-1)
        poles = np.take_along_axis(all_poles, largest[..., None], -1)[..., 0].astype(complex)
    return np.where(finite, poles, np.inf)


def _dominant_of_two(matrices: np.ndarray) -> np.ndarray:
    """The dominant pole of each 2 × 2 matrix, in closed form for speed."""
    first, last = matrices[..., 0, 0], matrices[..., 1, 1]
    half = (first + last) / 2
    # The form half² − determinant would cancel where both poles are close to 1.
    root = np.emath.sqrt(((first - last) / 2) ** 2 + matrices[..., 0, 1] * matrices[..., 1, 0])
    return np.where(half < 0, half - root, half + root)
