"""A Gaussian process over the unit cube, for Bayesian optimization of values to be minimized.

Arrays are padded to the same length in all batches, with a mask of the rows that count, so that
everything compiles once.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.apply import apply_updates
from gdlab.optimizers.adaptive.adam import adam

FIT_STEPS, FIT_RATE = 150, 0.08
"""The number of steps and the learning rate of Adam in the fit of the scales."""
FIRST_LENGTHS = (0.15, 0.5, 2.0)
"""The length scales from which the fit starts."""
LEAST_NOISE = 1e-4
"""The least variance of the noise with which float32 can invert covariances of unit variance."""
LEAST_VARIANCE = 1e-8
"""The lower bound on the variance of a prediction, which rounding could make negative."""
EXPECTED_LENGTH, EXPECTED_NOISE = 0.5, 1e-3
"""The medians of the priors: of the length scale in one dimension, and of the noise variance."""


class Observed(NamedTuple):
    """Points and their values, padded."""

    points: jax.Array
    """The points, of shape ``(rows, dimensions)``, in the unit cube."""
    values: jax.Array
    """The scores, of shape ``(rows,)``, about 0 on average and 1 in variance."""
    counts: jax.Array
    """True for the rows that are not padding, of shape ``(rows,)``."""


class Scales(NamedTuple):
    """The logarithms of the parameters of the kernel."""

    lengths: jax.Array
    """The length along each dimension over which the values change, of shape ``(dimensions,)``."""
    size: jax.Array
    """The variance of the values."""
    noise: jax.Array
    """The variance of the noise in excess of ``LEAST_NOISE``."""


class Posterior(NamedTuple):
    """A Gaussian process conditioned on the observed values."""

    scales: Scales
    observed: Observed
    eigenvalues: jax.Array
    """The eigenvalues of the covariances K of the rows."""
    root: jax.Array
    """The root W of their inverse, K⁻¹ = WWᵀ."""
    weights: jax.Array
    """K⁻¹ times the values."""

    def __call__(self, points: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Mean and variance at points of shape ``(n, dimensions)``, without the noise."""
        across = covariances(self.scales, points, self.observed.points)
        across = jnp.where(self.observed.counts[None], across, 0.0)
        variance = jnp.exp(self.scales.size) - jnp.sum((across @ self.root) ** 2, axis=1)
        return across @ self.weights, jnp.maximum(variance, LEAST_VARIANCE)


def covariances(scales: Scales, points: jax.Array, others: jax.Array) -> jax.Array:
    """The Matérn-5/2 kernel with a length for each dimension.

    k = σ²·(1 + √5 r + 5r²/3)·exp(−√5 r),    r² = Σᵢ (xᵢ − yᵢ)²/ℓᵢ²

    Source: C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning, 2006,
    equation 4.17.
    """
    lengths = jnp.exp(scales.lengths)[None]
    apart = (points / lengths)[:, None] - (others / lengths)[None]
    # The square root has no derivative at 0.
    squares = jnp.sum(apart**2, axis=-1)
    r = jnp.sqrt(5 * jnp.where(squares > 1e-12, squares, 1e-12))
    return jnp.exp(scales.size - r) * (1 + r + r**2 / 3)


def conditioned(scales: Scales, observed: Observed) -> Posterior:
    """The process with these scales, conditioned on the observed values."""
    # Every eigenvalue is at least the least noise; a smaller one is a rounding error.
    eigenvalues, vectors = jnp.linalg.eigh(_rows(scales, observed))
    eigenvalues = jnp.maximum(eigenvalues, LEAST_NOISE / 2)
    root = vectors / jnp.sqrt(eigenvalues)[None]
    values = jnp.where(observed.counts, observed.values, 0.0)
    return Posterior(scales, observed, eigenvalues, root, root @ (root.T @ values))


def _rows(scales: Scales, observed: Observed) -> jax.Array:
    """The covariances of the rows, with the noise."""
    counts = observed.counts
    both = counts[:, None] & counts[None]
    rows = jnp.where(both, covariances(scales, observed.points, observed.points), 0.0)
    # A padding row is independent of all others, and of value 0.
    return rows + jnp.diag(jnp.where(counts, jnp.exp(scales.noise) + LEAST_NOISE, 1.0))


def fitted(observed: Observed) -> Posterior:
    """The process whose scales are the most probable ones, found by Adam from several starts."""
    dimensions = observed.points.shape[1]
    tx = adam(FIT_RATE)

    def descend(length: jax.Array) -> tuple[jax.Array, Scales]:
        lengths = jnp.full(dimensions, jnp.log(length))
        start = Scales(lengths, jnp.zeros(()), jnp.log(10 * EXPECTED_NOISE))

        def step(carry: Any, _: None) -> tuple[Any, None]:
            scales, state = carry
            slope = jax.grad(_with_slope_of_cost)(scales, observed)
            updates, state = tx.update(slope, state, scales)
            return (apply_updates(scales, updates), state), None

        (scales, _), _ = jax.lax.scan(step, (start, tx.init(start)), length=FIT_STEPS)
        return cost(scales, observed), scales

    costs, scales = jax.vmap(descend)(jnp.asarray(FIRST_LENGTHS))
    best = jnp.argmin(jnp.where(jnp.isnan(costs), jnp.inf, costs))
    return conditioned(jax.tree.map(lambda leaf: leaf[best], scales), observed)


def cost(scales: Scales, observed: Observed) -> jax.Array:
    """The negative log posterior of the scales, up to a constant.

    −log p = ½ yᵀK⁻¹y + ½ log det K − log prior, with log-normal priors: on the lengths about ½√d,
    which are longer the more dimensions there are, on the variance about 1, on the noise about 10⁻³

    Source: C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning, 2006,
    equation 5.8.
    """
    posterior = conditioned(scales, observed)
    fit = jnp.sum(jnp.where(observed.counts, observed.values, 0.0) * posterior.weights)
    return (fit + jnp.sum(jnp.log(posterior.eigenvalues))) / 2 + _against_priors(scales)


def _with_slope_of_cost(scales: Scales, observed: Observed) -> jax.Array:
    """A function with the derivative of the cost, ½ tr((K⁻¹ − ααᵀ) ∂K) with α = K⁻¹y.

    This is faster than differentiating the eigendecomposition.
    """
    posterior = jax.lax.stop_gradient(conditioned(scales, observed))
    inverse = posterior.root @ posterior.root.T
    outer = inverse - jnp.outer(posterior.weights, posterior.weights)
    return jnp.sum(outer * _rows(scales, observed)) / 2 + _against_priors(scales)


def _against_priors(scales: Scales) -> jax.Array:
    expected = jnp.log(EXPECTED_LENGTH * len(scales.lengths) ** 0.5)
    return (
        jnp.sum((scales.lengths - expected) ** 2)
        + scales.size**2
        + ((scales.noise - jnp.log(EXPECTED_NOISE)) / 2) ** 2
    ) / 2


def log_expected_improvement(mean: jax.Array, variance: jax.Array, best: jax.Array) -> jax.Array:
    """The logarithm of the expected improvement on a value, E[max(best − f, 0)].

    log σ + log(φ(z) + z Φ(z)),    z = (best − mean)/σ

    Source: D. R. Jones, M. Schonlau and W. J. Welch, Efficient Global Optimization of Expensive
    Black-Box Functions, 1998, equation 15.
    """
    deviation = jnp.sqrt(variance)
    z = (best - mean) / deviation
    density = jax.scipy.stats.norm.logpdf(z)
    near = jnp.maximum(z, -3.0)
    direct = jnp.log(
        jnp.exp(jax.scipy.stats.norm.logpdf(near)) + near * jax.scipy.stats.norm.cdf(near)
    )
    # For very negative z the sum cancels; φ/(z² + 2) approximates it there.
    return jnp.log(deviation) + jnp.where(z > -3.0, direct, density - jnp.log(z**2 + 2))
