"""The outermost eigenvalues of a Hessian and their eigenvectors, by restarted Lanczos."""

import functools
import operator
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.flatten_util import ravel_pytree

from gdlab.analysis.curvature.hessian import MeanLoss
from gdlab.analysis.curvature.lanczos import krylov, masked_eigh, require_krylov_memory
from gdlab.analysis.curvature.parameter_space import (
    as_vector,
    number_of_parameters,
    require_finite,
)
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Count, Key
from gdlab.core.warning import warn_caller

Which = Literal["largest", "smallest", "magnitude"]

_ENDS = get_args(Which)
_LEAST_DIMENSION, _MOST_NUMBERS, _MOST_PASSES = 40, 2**24, 20


class Eigenpairs(NamedTuple):
    """Eigenvalues and eigenvectors of a Hessian, the outermost first."""

    values: jax.Array
    """The eigenvalues λ, of shape ``(k,)``."""
    vectors: Any
    """The eigenvectors v, of norm 1: a tree like the parameters with a leading axis of k."""
    residuals: jax.Array
    """The norms ‖Hv − λv‖, of shape ``(k,)``: each value has an eigenvalue within this distance."""


@checked
def hessian_eigenpairs(
    loss: Callable[..., Any],
    params: Any,
    data: Any = None,
    *,
    k: Count = 1,
    which: Which = "largest",
    key: Key | None = None,
    start: Any = None,
    iterations: Count | None = None,
    batch_size: Count | None = None,
) -> Eigenpairs:
    """The k outermost eigenvalues of a loss's Hessian, and their eigenvectors.

    They are computed by Lanczos' method with full reorthogonalisation, restarted from the best
    vectors until their residuals are rounding errors and a random restart finds nothing better, so
    that a multiple eigenvalue is found with its multiplicity. About k + 50 vectors are in memory at
    a time.

    Args:
        loss: ``loss(params)``, or ``loss(params, batch)``, a mean over the batch, if there are
            data; a real scalar.
        params: a tree of real floating-point arrays; they are taken in the widest of their dtypes,
            and at least in float32.
        data: a tree of arrays with a leading axis of examples, or a loader, of which one pass is
            held in memory; the loss is the mean over all examples.
        k: the number of eigenvalues.
        which: the ``"largest"``, the ``"smallest"`` (the most negative), or those largest in
            ``"magnitude"``.
        key: the PRNG key of the random starts, which changes the result only within its residuals;
            ``None`` for a fixed key.
        start: a tree like ``params`` for the first start, such as an eigenvector at nearby
            parameters; restarts are still random. A tree of zeros stands for a random start.
        iterations: a fixed number of Hessian-vector products, beside k for the residuals, instead
            of as many as convergence takes; more than the number of parameters has no effect. Check
            the residuals, since some eigenvalues may be missed.
        batch_size: the number of examples in memory at a time; ``None`` for all.

    Returns:
        The :class:`Eigenpairs`, with the outermost eigenvalue first.

    Raises:
        TypeError: if a parameter is not real, or the loss no real scalar.
        ValueError: if k is larger than the number of parameters or of iterations, ``start`` is not
            like ``params``, or the Hessian is not finite.
        ImportError: if matfree is not installed.

    Warns:
        RuntimeWarning: unless ``iterations`` is given, if an eigenvalue has not converged, or
            rounding errors exceed the outermost one.

    >>> import jax.numpy as jnp
    >>> from gdlab.analysis import hessian_eigenpairs
    >>> curvature = jnp.array([4.0, 1.0, 0.0, -2.0])
    >>> pairs = hessian_eigenpairs(lambda w: 0.5 * curvature @ w**2, jnp.ones(4), k=2)
    >>> pairs.values.round(4)
    Array([4., 1.], dtype=float32)
    >>> jnp.abs(pairs.vectors).round(3)
    Array([[1., 0., 0., 0.], [0., 1., 0., 0.]], dtype=float32)

    Source: K. Wu and H. Simon, Thick-Restart Lanczos Method for Large Symmetric Eigenvalue
    Problems, 2000.
    """
    mean_loss, params, data = MeanLoss.over(loss, params, data, batch_size)
    pairs, converged = eigenpairs(
        mean_loss, params, data, k=k, which=which, key=key, start=start, iterations=iterations
    )
    require_finite(pairs.values, "the Hessian")
    if iterations is None and not isinstance(converged, Tracer):
        _warn_of_errors(pairs, which, bool(converged))
    return pairs


def _warn_of_errors(pairs: Eigenpairs, which: str, converged: bool) -> None:
    """Warn of eigenvalues that have not converged or are lost in rounding."""
    if not converged:
        what = f"the {which} eigenvalues have not all converged"
        advice = "hence look at these before relying on the values"
    elif pairs.residuals[0] > jnp.abs(pairs.values[0]):
        # Residual and value are both rounding errors of much larger eigenvalues.
        what = f"the {which} eigenvalue is lost in rounding, and its sign with it"
        advice = "hence there is an eigenvalue so close to it; in float64 more of it is known"
    else:
        return
    residuals = f"their residuals are {pairs.residuals}, and the values {pairs.values}"
    warn_caller(f"{what}: {residuals}, {advice}", RuntimeWarning)


def eigenpairs(
    mean_loss: MeanLoss,
    params: Any,
    data: Any,
    *,
    k: int,
    which: Which,
    key: jax.Array | None,
    start: Any = None,
    iterations: int | None = None,
    root: Any = None,
) -> tuple[Eigenpairs, jax.Array]:
    """The eigenpairs of R H R, with ``root`` the diagonal of R, and whether they have converged.

    The values are NaN if the Hessian is not finite.
    """
    size = number_of_parameters(params)
    k = operator.index(k)
    if not 1 <= k <= size:
        raise ValueError(
            f"k must be from 1 to {size}, the number of parameters and of eigenvalues, not {k}"
        )
    if iterations is not None and operator.index(iterations) < k:
        raise ValueError(f"k = {k} eigenvalues need as many iterations, but these are {iterations}")
    if start is not None:
        start = as_vector("start", start, params)
    key = jax.random.key(0) if key is None else key
    end = _ENDS.index(which)
    require_krylov_memory("k", k, params)
    if iterations is not None:
        require_krylov_memory("iterations", min(operator.index(iterations), size), params)
        task = _Task(k, min(operator.index(iterations), size), converge=False)
        return _search(task, mean_loss, params, data, key, start, root, end)
    small = min(size, max(_LEAST_DIMENSION, 2 * k))
    large = min(size, max(small, _MOST_NUMBERS // size))
    # Eigenvalues crowded at the end may need a larger space, whose program is rarely compiled.
    task = _Task(k, small, converge=True)
    found, converged = _search(task, mean_loss, params, data, key, start, root, end)
    if isinstance(converged, Tracer) or converged or small == large:
        return found, converged
    return _search(task._replace(dimension=large), mean_loss, params, data, key, start, root, end)


class _Task(NamedTuple):
    """The static settings of a search, beside the loss."""

    k: int
    dimension: int
    """The dimension of the Krylov space of one pass."""
    converge: bool
    """True to go on until the search has converged, False to stop after so many dimensions."""


class _Best(NamedTuple):
    """The best approximations so far; ``exist`` masks the rows that hold one."""

    values: jax.Array
    vectors: jax.Array
    images: jax.Array
    residuals: jax.Array
    exist: jax.Array


class _Progress(NamedTuple):
    best: _Best
    converged: jax.Array
    settled: jax.Array
    dimensions: jax.Array
    passes: jax.Array


@functools.partial(jax.jit, static_argnums=0)
def _search(
    task: _Task,
    mean_loss: MeanLoss,
    params: Any,
    data: Any,
    key: jax.Array,
    start: Any,
    root: Any,
    end: int | jax.Array,
) -> tuple[Eigenpairs, jax.Array]:
    k, dimension, converge = task
    flat, unravel = ravel_pytree(params)
    matvec = flat_hessian(mean_loss, params, data, root)
    first = None if start is None else ravel_pytree(start)[0]
    kept = min(flat.size, k + 10)
    # The error of an isolated eigenvalue is of the order of its squared residual.
    tolerance = jnp.finfo(flat.dtype).eps ** (2 / 3)

    def begin(progress: _Progress) -> jax.Array:
        """The next start: the worst residual, as in plain Lanczos, or else a random vector."""
        random = jax.random.normal(jax.random.fold_in(key, progress.passes), flat.shape, flat.dtype)
        best = progress.best
        worst = jnp.argmax(best.residuals[:k])
        residual = best.images[worst] - best.values[worst] * best.vectors[worst]
        goes_on = best.exist[:k].all() & ~progress.converged
        vector = jnp.where(goes_on, residual, random)
        if first is None:
            return vector
        usable = jnp.isfinite(first).all() & jnp.any(first != 0)
        return jnp.where((progress.passes == 0) & usable, first, vector)

    def refine(progress: _Progress) -> _Progress:
        before = progress.best
        space = krylov(matvec, begin(progress), dimension, against=before.vectors)
        best, scale, everything = _rayleigh_ritz(matvec, before, space, end)
        converged = best.exist[:k].all() & (best.residuals[:k] <= tolerance * scale).all()
        same = (jnp.abs(best.values - before.values)[:k] <= tolerance * scale).all()
        dimensions = progress.dimensions + space.size
        enough = progress.converged & converged & same if converge else dimensions >= dimension
        # No dimension is found only if the map is not finite.
        settled = enough | everything | (dimensions == 0)
        return _Progress(best, converged, settled, dimensions, progress.passes + 1)

    zeros, blank = jnp.zeros((kept, flat.size), flat.dtype), jnp.zeros(kept, flat.dtype)
    nothing = _Best(blank, zeros, zeros, blank, jnp.zeros(kept, bool))
    no, none = jnp.asarray(False), jnp.asarray(0)
    progress = jax.lax.while_loop(
        lambda progress: ~progress.settled & (progress.passes < _MOST_PASSES),
        refine,
        _Progress(nothing, no, no, none, none),
    )
    best = progress.best
    found = Eigenpairs(
        jnp.where(best.exist, best.values, jnp.nan)[:k],
        jax.vmap(unravel)(best.vectors[:k]),
        best.residuals[:k],
    )
    return found, progress.converged


def _rayleigh_ritz(matvec, best, space, end):
    """The Ritz vectors of the kept vectors and a Krylov space in their complement.

    It also returns the largest modulus of the values, and whether both together are the whole
    space.
    """
    basis = jnp.concatenate([best.vectors, space.basis])
    exists = jnp.concatenate([best.exist, space.exists])
    with jax.default_matmul_precision("highest"):
        kept, cross = best.images @ best.vectors.T, best.images @ space.basis.T
        values, rotation = masked_eigh(
            jnp.block([[kept, cross], [cross.T, space.tridiagonal]]), exists
        )
        there = jnp.arange(len(values)) < exists.sum()
        preference = jnp.stack([values, -values, jnp.abs(values)])[end]
        merit = jnp.where(there, preference, -jnp.inf)
        order = jnp.argsort(-merit)[: len(best.vectors)]
        vectors = rotation[:, order].T @ basis
    images = jax.lax.map(matvec, vectors)
    residuals = jnp.linalg.norm(images - values[order, None] * vectors, axis=1)
    scale = jnp.max(jnp.where(there, jnp.abs(values), 0))
    everything = exists.sum() == basis.shape[1]
    return _Best(values[order], vectors, images, residuals, there[order]), scale, everything


def flat_hessian(
    mean_loss: MeanLoss, params: Any, data: Any, root: Any = None
) -> Callable[[jax.Array], jax.Array]:
    """The Hessian H as a map of flat vectors, or R H R with the tree ``root`` the diagonal of R."""
    unravel = ravel_pytree(params)[1]

    def scaled(vector: Any) -> Any:
        return vector if root is None else jax.tree.map(jnp.multiply, root, vector)

    def matvec(vector: jax.Array) -> jax.Array:
        product = mean_loss.hessian_product(params, data, scaled(unravel(vector)))
        return ravel_pytree(scaled(product))[0]

    return matvec
