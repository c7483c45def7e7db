"""The outputs of transformations for a series of numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gdlab.analysis.linear.precision import as_float64, in_float64
from gdlab.analysis.linear.superposition import answer
from gdlab.checks.values import real_numbers
from gdlab.core.transformation import GradientTransformation, as_transformation


@in_float64
def outputs_of(
    name: str, series: Any, transformations: Mapping[str, GradientTransformation]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return a series as an array, and the output of each transformation for it.

    Raises:
        ValueError: if ``series`` is not a series of finite numbers; the message calls it ``name``.
    """
    series = real_numbers(name, series, finite=False)
    if series.ndim != 1 or not series.size or not np.isfinite(series).all():
        came = f"of shape {series.shape}" if series.ndim != 1 or not series.size else f"{series}"
        raise ValueError(f"{name} must be a series of finite numbers, of shape (n,), not {came}")
    return series, {
        name: answer(as_float64(as_transformation(tx)), series)
        for name, tx in transformations.items()
    }
