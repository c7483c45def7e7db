"""Data sets bundled with scikit-learn, which is imported on use."""

import functools
from typing import Any

import numpy as np

Examples = tuple[np.ndarray, np.ndarray]


def diabetes() -> Examples:
    """Ten measurements of 442 patients, and the progression of their disease.

    Source: B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, Least angle regression, 2004.
    """
    from sklearn.datasets import load_diabetes

    inputs, targets = load_diabetes(return_X_y=True, scaled=False)
    return np.asarray(inputs), np.asarray(targets)


def breast_cancer() -> Examples:
    """Thirty measurements of 569 tumours, and whether they are benign.

    Source: W. N. Street, W. H. Wolberg, O. L. Mangasarian, Nuclear feature extraction for breast
    tumor diagnosis, 1993.
    """
    from sklearn.datasets import load_breast_cancer

    inputs, labels = load_breast_cancer(return_X_y=True)
    return np.asarray(inputs), np.asarray(labels)


@functools.cache
def digits() -> tuple[Examples, Examples]:
    """The digits data in a fixed split: (images, labels) for training, (images, labels) held out.

    1437 and 360 images of 8×8 pixels, as arrays (n, 8, 8, 1) with values from 0 to 1, and labels
    from 0 to 9. The split is stratified by digit.

    Source: E. Alpaydin, C. Kaynak, Optical recognition of handwritten digits, 1998.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data: Any = load_digits()
    images = (data.images / 16).astype(np.float32)[..., None]
    labels = data.target.astype(np.int32)
    train, held_out = train_test_split(
        np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=0
    )
    return (images[train], labels[train]), (images[held_out], labels[held_out])
