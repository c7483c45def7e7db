"""Values drawn for sampled axes."""

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import jax
import numpy as np

from gdlab.axes.grid import axes_with_paths
from gdlab.core.axis import SampledAxis, is_axis

Sampling = Literal["sobol", "random"]


def drawn(tree: Any, samples: int | None, sampling: Sampling, seed: Sequence[int]) -> Any:
    """The tree with each sampled axis replaced by an axis of ``samples`` values, drawn jointly.

    Raises:
        ValueError: if there are sampled axes, but ``samples`` is None.
    """
    found = _sampled(tree)
    if not found:
        return tree
    if samples is None:
        raise ValueError(
            f"axis {next(iter(found))!r} is sampled: say how often, such as samples=64"
        )
    quantiles = dict(
        zip(found, sobol_or_random(samples, len(found), sampling, seed).T, strict=True)
    )

    def draw(node: Any) -> Any:
        is_drawn = isinstance(node, SampledAxis)
        return node.at_quantiles(quantiles[node.name]) if is_drawn else node

    return jax.tree.map(draw, tree, is_leaf=is_axis)


def require_sampled(tree: Any, samples: int | None) -> None:
    """Refuse a number of samples without sampled axes.

    Raises:
        ValueError: if ``samples`` is given and no axis is sampled.
    """
    if samples is not None and not _sampled(tree):
        raise ValueError(f"samples={samples} is given, but no axis is sampled")


def _sampled(tree: Any) -> dict[str, SampledAxis]:
    return {a.name: a for _, a in axes_with_paths(tree) if isinstance(a, SampledAxis)}


def sobol_or_random(
    samples: int, dimensions: int, sampling: Sampling, seed: Sequence[int]
) -> np.ndarray:
    """Sobol or random points in the unit cube, of shape ``(samples, dimensions)``."""
    rng = np.random.default_rng(seed)
    if sampling == "random":
        return rng.random((samples, dimensions))
    from scipy.stats import qmc

    with warnings.catch_warnings():
        # Ignore SciPy's warning that only powers of two are perfectly even.
        warnings.simplefilter("ignore", UserWarning)
        return qmc.Sobol(dimensions, rng=rng).random(samples)
