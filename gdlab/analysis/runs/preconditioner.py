"""The diagonal by which an adaptive method multiplies gradients, measured on its updates."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from gdlab.analysis.curvature.parameter_space import in_one_dtype
from gdlab.analysis.linear.anatomy import Anatomy, anatomy_of, one_step, reduced
from gdlab.analysis.linear.frozen import frozen
from gdlab.analysis.linear.period import EVERY_STEP, PRECONDITIONER, period_of, require_every_step
from gdlab.analysis.linear.precision import as_float64, float64_on_cpu
from gdlab.core.transformation import GradientTransformation

PAST_STEPS = 3
"""The number of steps before scales are used; after only one, those of some methods are zero."""
RELATIVE_SIZE = 1e-9
"""The size of test gradients, relative to those from which the scales were computed. Their squares
are below rounding error beside the scales. They must not be much smaller, because a method such as
Muon, which divides by a norm plus ε, is linear in gradients far below ε. """


def anatomy_on(tx: GradientTransformation, params: Any) -> Anatomy:
    """The anatomy of the state of ``tx`` for these parameters.

    Raises:
        ValueError: if ``tx`` is not odd in the gradients.
    """
    with float64_on_cpu():
        return anatomy_of(repr(tx), as_float64(tx), as_float64(params), 1.0)


def diagonal_response(anatomy: Anatomy, tx: Any, params: Any, state: Any) -> Any:
    """The diagonal D in u = −Dg, for gradients too small to change the scales of ``state``.

    Args:
        anatomy: of ``tx``.
        tx: a diagonal method.
        params: the parameters; D has their shapes and dtypes.
        state: a state after at least one step.
    """
    size = _small(params)
    response = _response(anatomy, tx, params, state)
    flat, unravel = ravel_pytree(in_one_dtype(params))
    return unravel(-response(size * jnp.ones_like(flat)) / size)


def require_diagonal(anatomy: Anatomy, tx: GradientTransformation, params: Any) -> None:
    """Refuse a method whose update of a weight depends on the gradients of others.

    Raises:
        ValueError: if it is not diagonal, or does not do the same at every step.
    """
    with float64_on_cpu():
        held = as_float64(tx)
        small = reduced(held, as_float64(params))
        period = period_of(anatomy, held, small, 1.0)
        diagonal = _is_diagonal(anatomy, held, small)
    require_every_step(repr(tx), period, PRECONDITIONER)
    if not diagonal:
        raise ValueError(
            f"{tx!r} does not scale each gradient by a number of its own: there is no diagonal "
            "preconditioner; linearize it on a Hessian instead"
        )


@functools.partial(jax.jit, static_argnums=0)
def _is_diagonal(anatomy: Anatomy, tx: Any, params: Any) -> jax.Array:
    """Tell whether ``tx`` is diagonal after a few steps with generic gradients of size 1."""
    flat, unravel = ravel_pytree(params)
    numbers = jnp.arange(PAST_STEPS * flat.size, dtype=flat.dtype)
    gradients = jnp.cos(1.0 + numbers).reshape(PAST_STEPS, flat.size)
    state, _ = jax.lax.scan(
        lambda state, gradient: (one_step(tx, state, params, lambda _: gradient, unravel)[1], None),
        tx.init(params),
        gradients,
    )
    # As one batch, since tracing the update dominates the cost of this program.
    response = jax.vmap(_response(anatomy, tx, params, state))
    mixed = gradients[0]
    ones, together = response(RELATIVE_SIZE * jnp.stack([jnp.ones_like(flat), mixed]))
    one_by_one = ones * mixed
    tolerance = 100 * jnp.finfo(flat.dtype).eps
    return jnp.all(jnp.abs(together - one_by_one) <= tolerance * jnp.abs(one_by_one))


def _small(params: Any) -> float:
    """The size of a gradient whose square is negligible beside any scale, but not subnormal."""
    dtype = ravel_pytree(in_one_dtype(params))[0].dtype
    return 1e-18 if dtype == jnp.float32 else 1e-130


def _response(anatomy: Anatomy, tx: Any, params: Any, state: Any) -> Any:
    zeros = jax.tree.map(jnp.zeros_like, in_one_dtype(params))
    unravel = ravel_pytree(zeros)[1]
    states = frozen(anatomy, EVERY_STEP, tx, zeros, 0.0, state=state).states
    held = jax.tree.map(lambda leaf: leaf[0], states)

    def response(gradient):
        updates, _ = one_step(tx, held, zeros, lambda _: gradient, unravel)
        return ravel_pytree(updates)[0]

    return response
