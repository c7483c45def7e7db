"""The preconditioned sharpness, the largest curvature in the metric of an adaptive method."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gdlab.analysis.curvature.parameter_space import in_one_dtype
from gdlab.analysis.curvature.sharpness import sharpness
from gdlab.analysis.linear.anatomy import Anatomy
from gdlab.analysis.linear.precision import float64_on_cpu
from gdlab.analysis.linear.setting import is_scheduled
from gdlab.analysis.linear.stability import unit_response
from gdlab.analysis.runs.preconditioner import anatomy_on, diagonal_response, require_diagonal
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Count, Key
from gdlab.core.transformation import GradientTransformation, as_state, as_transformation
from gdlab.training.models import open_model


@checked
def preconditioned_sharpness(
    loss: Callable[..., Any],
    params: Any,
    tx: GradientTransformation,
    state: Any,
    data: Any = None,
    *,
    key: Key | None = None,
    batch_size: Count | None = None,
) -> float:
    """The largest eigenvalue of P⁻¹H, with P the diagonal by which ``tx`` divides gradients.

    For Adam P = (1 − b1ᵗ)·diag(√v̂ + ε), and training is stable while the eigenvalue is below
    :func:`sharpness_limit` of ``tx``, which is 38/η at b1 = 0.9. P is measured on ``tx`` itself:
    its response to a small gradient, relative to that of the same method in one dimension after
    gradients of size 1.

    Args:
        loss: as in :func:`sharpness`.
        params: a tree of real floating-point arrays, or a model as in :func:`gdlab.minimize`.
        tx: any method that multiplies each component of the gradient by its own factor; for a
            method that is not adaptive the result is the sharpness.
        state: the state of ``tx`` after at least one step; P is that of the last step.
        data: as in :func:`sharpness`.
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
    tx = as_transformation(tx)
    state = as_state(tx, state)
    model = open_model(params)
    params = model.params
    in_one_dtype(params)  # refuses what is no tree of real arrays
    if jax.tree.structure(state) != jax.tree.structure(jax.eval_shape(tx.init, params)):
        raise ValueError(f"state must be one of {tx!r} for these parameters, not {state!r}")
    anatomy = anatomy_on(tx, params)
    if not anatomy.adaptive:
        return sharpness(loss, model, data, key=key, batch_size=batch_size)
    require_diagonal(anatomy, tx, params)
    if _is_untouched(anatomy, tx, params, state):
        raise ValueError("the state has seen no gradient yet: there is no preconditioner")
    # The clocks of a state count the steps that led to it.
    taken = max(map(int, anatomy.clocks(state)), default=0)
    with float64_on_cpu():
        unit = unit_response(tx, taken - 1 if is_scheduled(tx) else None)
    inverse = _inverse(anatomy, tx, params, state, unit)
    if not all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(inverse)):
        raise ValueError(
            "the preconditioner is not finite: the state is not, or gradients were exactly zero "
            "without an eps, or the learning rate is 0"
        )
    return sharpness(loss, model, data, preconditioner=inverse, key=key, batch_size=batch_size)


def _is_untouched(anatomy: Anatomy, tx: Any, params: Any, state: Any) -> bool:
    """Tell whether no gradient has changed a scale yet."""
    pairs = zip(*map(anatomy.denominators, (tx.init(params), state)), strict=True)
    return all(bool(jnp.array_equal(fresh, now)) for fresh, now in pairs)


@functools.partial(jax.jit, static_argnums=0)
def _inverse(anatomy: Any, tx: Any, params: Any, state: Any, unit: Any) -> Any:
    """The diagonal of P⁻¹, scaled to be 1 after gradients of size 1."""
    return inverse_scales(anatomy, tx, params, state, unit)


def inverse_scales(anatomy: Any, tx: Any, params: Any, state: Any, unit: Any) -> Any:
    """The diagonal of P⁻¹ for :func:`preconditioned_sharpness`, inside a compiled program."""
    response = diagonal_response(anatomy, tx, params, state)
    return jax.tree.map(lambda d: d / jnp.asarray(unit, d.dtype), response)
