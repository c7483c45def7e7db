"""The largest curvature as an adaptive method sees it."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gdlab.analysis.precision import float64_on_cpu
from gdlab.analysis.preconditioner import anatomy_on, diagonal_response, require_diagonal
from gdlab.analysis.largest_curvature import sharpness
from gdlab.analysis.stability import reference
from gdlab.core.transformation import GradientTransformation


def preconditioned_sharpness(
    loss: Callable[..., Any],
    params: Any,
    tx: GradientTransformation,
    state: Any,
    data: Any = None,
    *,
    step: int | None = None,
    key: jax.Array | None = None,
    batch_size: int | None = None,
) -> float:
    """The largest eigenvalue of P⁻¹H, with P the diagonal by which ``tx`` divides gradients.

    For Adam P = diag(√v̂ + ε), and training is stable while it is below 38/η at b1 = .9: below
    :func:`sharpness_limit` of ``tx``. P is read off the update of ``tx`` itself, as its response
    to a small gradient beside that of the same method in one dimension, for gradients of size 1.

    Args:
        loss: as in :func:`sharpness`.
        params: a tree of real floating-point arrays.
        tx: any method that scales each gradient by a number of its own; for one that is not
            adaptive this is the sharpness.
        state: its state after at least one step.
        data: as in :func:`sharpness`.
        step: which of its steps schedules stand at, from 0; their end unless given.
        key: as in :func:`sharpness`.
        batch_size: as in :func:`sharpness`.

    Raises:
        ValueError: if ``tx`` is not diagonal or not odd in the gradients, if ``state`` has seen
            no gradient yet, or the Hessian is not finite.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import rmsprop
    >>> from gdlab.analysis import preconditioned_sharpness, sharpness_limit
    >>> loss = lambda w: 50 * w[0] ** 2 + 0.5 * w[1] ** 2
    >>> tx, w = rmsprop(0.1, decay=0.5, eps=0.0), jnp.array([1.0, 10.0])
    >>> state = tx.init(w)
    >>> for _ in range(40):
    ...     _, state = tx.update(jax.grad(loss)(w), state, w)
    >>> round(preconditioned_sharpness(loss, w, tx, state), 4)  # of 100/100 and 1/10
    1.0
    >>> round(sharpness_limit(tx), 4)
    20.0

    Source: J. Cohen et al., Adaptive gradient methods at the edge of stability, 2022, section 3.
    """
    anatomy = anatomy_on(tx, params)
    if not anatomy.adaptive:
        return sharpness(loss, params, data, key=key, batch_size=batch_size)
    require_diagonal(anatomy, tx, params, state)
    with float64_on_cpu():
        _, unit = reference(tx, step)
    inverse = _inverse(anatomy, tx, params, state, unit)
    if not all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(inverse)):
        raise ValueError(
            "the preconditioner is not finite: the state has seen no gradient yet, or gradients "
            "of exactly zero without an eps"
        )
    return sharpness(loss, params, data, preconditioner=inverse, key=key, batch_size=batch_size)


@functools.partial(jax.jit, static_argnums=0)
def _inverse(anatomy: Any, tx: Any, params: Any, state: Any, unit: Any) -> Any:
    """P⁻¹, in units in which it is 1 after gradients of size 1."""
    return inverse_scales(anatomy, tx, params, state, unit)


def inverse_scales(anatomy: Any, tx: Any, params: Any, state: Any, unit: Any) -> Any:
    """P⁻¹ as :func:`preconditioned_sharpness` takes it, for use inside a compiled program."""
    response = diagonal_response(anatomy, tx, params, state)
    return jax.tree.map(lambda d: d / jnp.asarray(unit, d.dtype), response)
