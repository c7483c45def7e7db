"""The density of a Hessian's eigenvalues, by stochastic Lanczos quadrature."""

import functools
import math
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jax.scipy.special import ndtr

from gdlab.analysis.curvature.eigenpairs import flat_hessian
from gdlab.analysis.curvature.hessian import MeanLoss
from gdlab.analysis.curvature.lanczos import krylov, masked_eigh, require_krylov_memory
from gdlab.analysis.curvature.parameter_space import (
    number_of_parameters,
    require_finite,
)
from gdlab.checks.checked import checked
from gdlab.checks.kinds import LARGEST_LENGTH, Between, Count, Key, Length

Bandwidth: TypeAlias = Annotated[float, Between(0, math.inf, True, True)]
"""The standard deviation of a Gaussian by which a density is smoothed."""


class SpectralDensity(NamedTuple):
    """The distribution of the eigenvalues of a Hessian."""

    grid: jax.Array
    """Evenly spaced values that cover the spectrum, of shape ``(points,)``."""
    density: jax.Array
    """The density of the eigenvalues at ``grid``; times the spacing it sums to 1."""
    nodes: jax.Array
    """The nodes of the quadrature rule of each probe, of shape ``(probes, iterations)``."""
    weights: jax.Array
    """The weights w of the nodes θ, of the same shape; they sum to 1 for each probe. The mean of f
    over the eigenvalues is approximated by the mean over probes of Σ wᵢ f(θᵢ)."""

    def plot(self, ax: Any = None, *, eigenvalues: Any = None) -> Any:
        """Draw the density, and some eigenvalues if they are given; needs the extra ``lab``."""
        from gdlab import plots

        return plots.spectral_density(self.grid, self.density, eigenvalues, ax=ax)


@checked
def spectral_density(
    loss: Callable[..., Any],
    params: Any,
    data: Any = None,
    *,
    key: Key,
    probes: Length = 10,
    iterations: Count = 30,
    points: Annotated[int, Between(2, LARGEST_LENGTH)] = 512,
    bandwidth: Bandwidth | None = None,
    batch_size: Count | None = None,
) -> SpectralDensity:
    """The density of the eigenvalues of a loss's Hessian.

    A random vector z weights the eigenvalues by (zᵀvᵢ)² / ‖z‖², on average 1/n, and Lanczos' method
    gives the Gauss quadrature rule of that distribution. The mean of the rules is smoothed by a
    Gaussian.

    Args:
        loss: ``loss(params)``, or ``loss(params, batch)``, a mean over the batch, if there are
            data; a real scalar.
        params: a tree of real floating-point arrays, or a model as in :func:`gdlab.minimize`.
        data: a tree of arrays with a leading axis of examples, or a loader, of which one pass is
            held in memory; the loss is the mean over all examples.
        key: PRNG key of the probes.
        probes: the number of random vectors, taken one after another.
        iterations: the number of Hessian-vector products for each probe, which is the number of
            nodes of its rule; more than the number of parameters has no effect.
        points: the number of grid points.
        bandwidth: the standard deviation of the Gaussian; ``None`` for a hundredth of the width of
            the spectrum.
        batch_size: the number of examples in memory at a time; ``None`` for all.

    Raises:
        TypeError: if a parameter is not real, or the loss no real scalar.
        ValueError: if the Hessian is not finite, or a number is not positive.
        ImportError: if matfree is not installed.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from gdlab.analysis import spectral_density
    >>> curvature = jnp.array([1.0, 1.0, 1.0, 9.0])
    >>> loss = lambda w: 0.5 * curvature @ w**2
    >>> spectrum = spectral_density(loss, jnp.ones(4), key=jax.random.key(0))
    >>> spacing = spectrum.grid[1] - spectrum.grid[0]
    >>> below_five = spectrum.density[spectrum.grid < 5].sum() * spacing
    >>> round(float(below_five), 3)
    0.75

    Source: B. Ghorbani, S. Krishnan and Y. Xiao, An Investigation into Neural Net Optimization via
    Hessian Eigenvalue Density, 2019.
    """
    mean_loss, params, data = MeanLoss.over(loss, params, data, batch_size)
    dimension = min(iterations, number_of_parameters(params))
    require_krylov_memory("iterations", dimension, params)
    nodes, weights = _quadrature(mean_loss, dimension, probes, params, data, key)
    require_finite(nodes, "the Hessian")
    grid, density = _smooth(nodes, weights, points, bandwidth)
    return SpectralDensity(grid, density, nodes, weights)


@functools.partial(jax.jit, static_argnums=(1, 2))
def _quadrature(
    mean_loss: MeanLoss, dimension: int, probes: Count, params: Any, data: Any, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    flat = ravel_pytree(params)[0]
    matvec = flat_hessian(mean_loss, params, data)

    def rule(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        # Random signs have less variance than normal numbers.
        space = krylov(matvec, jax.random.rademacher(key, flat.shape, flat.dtype), dimension)
        nodes, rotation = masked_eigh(space.tridiagonal, space.exists)
        # A missing node is a copy of another one, without weight.
        some = jnp.where(space.size > 0, nodes[0], jnp.nan)
        weights = jnp.where(space.exists, rotation[0] ** 2, 0)
        return jnp.where(space.exists, nodes, some), weights / weights.sum()

    return jax.lax.map(rule, jax.random.split(key, probes))


@functools.partial(jax.jit, static_argnums=2)
def _smooth(
    nodes: jax.Array, weights: jax.Array, points: Length, bandwidth: Any
) -> tuple[jax.Array, jax.Array]:
    low, high = nodes.min(), nodes.max()
    largest = jnp.maximum(jnp.abs(low), jnp.abs(high))
    # Equal eigenvalues that differ only by rounding have no spread.
    spread = high - low > jnp.sqrt(jnp.finfo(nodes.dtype).eps) * largest
    extent = jnp.where(spread, high - low, jnp.where(largest > 0, largest, 1))
    width = extent / 100 if bandwidth is None else jnp.asarray(bandwidth, nodes.dtype)
    edges = jnp.linspace(low - 8 * width, high + 8 * width, points + 1)

    # Differences of the distribution function sum to 1 on any grid, however coarse.
    def add(total: jax.Array, node: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        centre, weight = node
        return total + weight * jnp.diff(ndtr((edges - centre) / width)), None

    zeros = jnp.zeros(points, nodes.dtype)
    total, _ = jax.lax.scan(add, zeros, (nodes.ravel(), weights.ravel() / len(nodes)))
    return (edges[1:] + edges[:-1]) / 2, total / jnp.diff(edges)
