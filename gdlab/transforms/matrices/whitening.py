"""The preconditioner of PSGD: whitening by learned triangular factors."""

import jax
import jax.numpy as jnp
import jax.scipy.linalg

from gdlab.checks.kinds import Size
from gdlab.core.authoring import LeafFunctions, Shared
from gdlab.core.hyperparameter import Fraction, NonNegative
from gdlab.core.placement import parts_of, placed, placed_like, whole
from gdlab.core.rarely import rarely
from gdlab.core.structure import Function
from gdlab.core.transformation import leafwise
from gdlab.transforms.matrices.axis_products import EXACT, along, gram, identity_along
from gdlab.transforms.matrices.decompositions import solve_upper_transposed

LARGEST_ENTRY = 1e9
"""The bound on the entries of factors, which whitens gradients down to about 1e-18."""


@leafwise(reads=("key", "step"), slots=("factors",), shared="since_update", squares=True)
def scale_by_kron(
    preconditioner_lr: NonNegative = 0.1,
    preconditioner_update_probability: Fraction = 1.0,
    max_size_triangular: Size = 8192,
    min_ndim_triangular: Size = 2,
    preconditioner_init_scale: NonNegative = 1.0,
    *,
    probe: Function = jax.random.normal,
) -> LeafFunctions:
    """Whiten each array by learned triangular factors, one for each axis.

    uₜ = P·gₜ with P = QᵀQ and Q = Q₁ ⊗ Q₂ ⊗ …; each Qᵢ takes a step of relative gradient descent
    on E[gᵀ·P·g + vᵀ·P⁻¹·v] with random probes v of covariance I:
    Qᵢ ← Qᵢ − μ·triu(Aᵢ − Bᵢ)·Qᵢ/‖Aᵢ + Bᵢ‖, Aᵢ the Gram matrix of Q·g along axis i and Bᵢ that of
    Q⁻ᵀ·v

    The fixed point is P = (E ggᵀ)^(−½) if that is a Kronecker product, so that E uuᵀ = I, without
    any inverse or eigendecomposition. The relative sizes of the factors do not matter, so each
    update ends by rescaling them to the same largest entry.

    Args:
        preconditioner_lr: μ, the relative step of the factors.
        preconditioner_update_probability: the fraction p of steps at which the factors are updated,
            regularly after 1/p steps.
        max_size_triangular: the longest axis with a triangular factor; longer axes have a diagonal
            one.
        min_ndim_triangular: the smallest number of axes of an array with triangular factors.
        preconditioner_init_scale: the initial Q, as a multiple of the identity.
        probe: a function of a key, a shape and a dtype that returns v.

    Raises:
        ValueError: if the step has no ``key``.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import scale_by_kron
    >>> tx = scale_by_kron(probe=lambda key, shape, dtype: jnp.ones(shape, dtype))
    >>> gradient = jnp.array([4.0, -0.5])
    >>> state = tx.init(gradient)
    >>> for key in jax.random.split(jax.random.key(0), 400):
    ...     u, state = tx.update(gradient, state, key=key)
    >>> u.round(2)
    Array([ 1., -1.], dtype=float32)

    Source: X.-L. Li, Preconditioned stochastic gradient descent, 2015; O. Pooladzandi, X.-L. Li,
    Curvature-informed SGD via general purpose Lie-group preconditioners, 2024; X.-L. Li, Stochastic
    Hessian fittings with Lie groups, 2024.
    """

    def init(like):
        g = like.reshape(like.shape or (1,))
        scale = preconditioner_init_scale ** (1 / g.ndim)

        def factor(axis):
            n = g.shape[axis]
            if n <= 1 or n > max_size_triangular or like.ndim < min_ndim_triangular:
                return scale * placed(jnp.ones(n, g.dtype), [parts_of(g)[axis]])
            return scale * identity_along(g, axis)

        return (tuple(map(factor, range(g.ndim))) if like.size else (),)

    def update(u, state, key, step, since_update):
        factors = jax.tree.map(whole, state[0])
        if not factors:
            return u, state
        g = whole(u).reshape(u.shape or (1,))

        def learn(factors):
            # Folding in the step allows one key for a whole run.
            v = probe(jax.random.fold_in(key, step), g.shape, g.dtype)
            return _balanced(_updated(factors, g, v, preconditioner_lr))

        factors = rarely(since_update == 0, learn, lambda factors: factors, factors)
        for axis, q in enumerate(factors):
            g = _times(q, _times(q, g, axis), axis, transposed=True)
        return placed_like(g.reshape(u.shape), u), (factors,)

    def advance(since_update):
        passed = since_update + 1
        share = jnp.asarray(preconditioner_update_probability)
        wanted = jnp.where(share > 0, 1 / jnp.where(share > 0, share, 1), jnp.inf)
        return jnp.where(passed.astype(wanted.dtype) >= wanted, 0, passed)

    return init, update, Shared(lambda: jnp.zeros((), jnp.int32), advance)


def _times(q, x, axis, transposed=False):
    if q.ndim == 1:
        return x * jnp.expand_dims(q, [other for other in range(x.ndim) if other != axis])
    return along(q.T if transposed else q, x, axis)


def _solved(q, x, axis):
    """Q⁻ᵀ along an axis."""
    if q.ndim == 1:
        return _times(1 / q, x, axis)
    rows = jnp.moveaxis(x, axis, 0)
    solved = solve_upper_transposed(q, rows.reshape(len(q), -1))
    return jnp.moveaxis(solved.reshape(rows.shape), 0, axis)


def _updated(factors, g, v, rate):
    a, b = g, v
    for axis, q in enumerate(factors):
        a, b = _times(q, a, axis), _solved(q, b, axis)
    new = []
    for axis, q in enumerate(factors):
        if q.ndim == 1:
            others = tuple(other for other in range(a.ndim) if other != axis)
            seen, probed = jnp.sum(a**2, others), jnp.sum(b**2, others)
            change = (seen - probed) * q / _positive(jnp.max(seen + probed))
        else:
            seen, probed = gram(a, axis), gram(b, axis)
            change = jnp.matmul(jnp.triu(seen - probed), q, precision=EXACT)
            change = change / _positive(spectral_norm_bound(seen + probed))
        # Bounded, since without gradients the factors of an array would grow forever.
        grown = q - rate * change
        new.append(jnp.where(jnp.abs(grown) > LARGEST_ENTRY, q, grown))
    return tuple(new)


def _positive(norm):
    return jnp.maximum(norm, jnp.finfo(norm.dtype).tiny)


def _balanced(factors):
    """Factors rescaled to the same largest entry, with the same product."""
    logs = [jnp.log(_positive(jnp.max(jnp.abs(q)))) for q in factors]
    mean = jax.tree.reduce(jnp.add, logs) / len(logs)
    return tuple(q * jnp.exp(mean - log) for q, log in zip(factors, logs, strict=True))


def spectral_norm_bound(matrix: jax.Array) -> jax.Array:
    """A lower bound of the largest eigenvalue of a positive semidefinite matrix.

    It takes two steps of power iteration from the longest row, and is usually at most a few percent
    too small.

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.matrices.whitening import spectral_norm_bound
    >>> spectral_norm_bound(jnp.diag(jnp.array([1.0, 3.0])))
    Array(3., dtype=float32)
    """
    largest = _positive(jnp.max(jnp.abs(matrix)))
    unit = matrix / largest
    x = unit @ unit[jnp.argmax(jnp.sum(unit**2, axis=1))]
    x = x / _positive(jnp.linalg.norm(x))
    return largest * jnp.linalg.norm(unit @ x)
