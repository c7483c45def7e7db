"""The classification of critical points as minimum, maximum or saddle."""

import functools
from collections.abc import Callable
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from gdlab.analysis.curvature.eigenpairs import eigenpairs, flat_hessian
from gdlab.analysis.curvature.hessian import MeanLoss
from gdlab.analysis.curvature.parameter_space import (
    machine_precision,
    number_of_parameters,
    require_finite,
)
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Between, Count

MAX_DENSE_PARAMETERS = 40
"""The largest number of parameters for which the whole Hessian is computed.

It costs less than compiling an iterative search."""


@checked
def classify_critical_point(
    loss: Callable[..., Any],
    params: Any,
    data: Any = None,
    *,
    gradient_tolerance: Annotated[float, Between(0)] | None = None,
    curvature_tolerance: Annotated[float, Between(0)] | None = None,
    batch_size: Count | None = None,
) -> Literal["minimum", "maximum", "saddle", "degenerate"]:
    """Classify a critical point by the smallest and the largest eigenvalue of the Hessian.

    ============  ===========================================================
    minimum       all eigenvalues of the Hessian are positive
    maximum       all are negative
    saddle        some are positive and some negative
    degenerate    some are zero, the others of one sign: the Hessian does not decide
    ============  ===========================================================

    Args:
        loss: ``loss(params)``, or ``loss(params, batch)``, a mean over the batch, if there are
            data; a real scalar.
        params: a tree of real floating-point arrays, or a model as in :func:`gdlab.minimize`.
        data: a tree of arrays with a leading axis of examples, or a loader, of which one pass is
            held in memory; the loss is the mean over all examples.
        gradient_tolerance: the largest norm of the gradient that counts as zero; by default √ε ‖H‖
            max(1, ‖w‖), with ε the machine precision, which a point within a relative distance √ε
            of a critical point has.
        curvature_tolerance: the largest modulus of an eigenvalue that counts as zero; by default √ε
            ‖H‖.
        batch_size: the number of examples in memory at a time; ``None`` for all.

    Raises:
        TypeError: if a parameter is not real, or the loss no real scalar.
        ValueError: if the gradient is not zero, or the Hessian not finite.
        RuntimeError: if the eigenvalues do not converge.
        ImportError: if there are more than forty parameters and matfree is not installed.

    >>> import jax.numpy as jnp
    >>> from gdlab.analysis import classify_critical_point
    >>> classify_critical_point(lambda w: w[0] ** 2 - w[1] ** 2, jnp.zeros(2))
    'saddle'
    >>> classify_critical_point(lambda w: w[0] ** 2 + w[1] ** 4, jnp.zeros(2))
    'degenerate'
    """
    mean_loss, params, data = MeanLoss.over(loss, params, data, batch_size)
    gradient_norm, norm = _norms(mean_loss, params, data)
    require_finite(gradient_norm, "the gradient")
    if number_of_parameters(params) <= MAX_DENSE_PARAMETERS:
        smallest, largest = _ends(mean_loss, params, data)
        unconverged = ""
    else:
        smallest, largest, unconverged = _found_ends(mean_loss, params, data)
    require_finite((largest, smallest), "the Hessian")
    low, high = float(smallest), float(largest)

    small = machine_precision(params) ** 0.5 * max(abs(low), abs(high))
    if gradient_tolerance is None:
        gradient_tolerance = small * max(1.0, float(norm))
    if gradient_norm > gradient_tolerance:
        raise ValueError(
            f"the parameters are no critical point: the gradient has the norm {gradient_norm:.3g}, "
            f"more than gradient_tolerance = {gradient_tolerance:.3g}; run an optimizer for longer "
            "or raise the tolerance"
        )
    zero = small if curvature_tolerance is None else curvature_tolerance
    # Ritz values lie within the spectrum, so two signs prove a saddle even without convergence.
    if low < -zero and high > zero:
        return "saddle"
    if unconverged:
        raise RuntimeError(f"the eigenvalues of the Hessian have not converged: {unconverged}")
    if low > zero:
        return "minimum"
    if high < -zero:
        return "maximum"
    return "degenerate"


@jax.jit
def _norms(mean_loss: MeanLoss, params: Any, data: Any) -> tuple[jax.Array, jax.Array]:
    """The norms of the gradient and of the parameters."""
    gradient = mean_loss.gradient(params, data)
    return jnp.linalg.norm(ravel_pytree(gradient)[0]), jnp.linalg.norm(ravel_pytree(params)[0])


@jax.jit
def _ends(mean_loss: MeanLoss, params: Any, data: Any) -> tuple[jax.Array, jax.Array]:
    """The smallest and the largest eigenvalue, computed from the dense Hessian."""
    flat, _ = ravel_pytree(params)
    product = flat_hessian(mean_loss, params, data)
    eigenvalues = jnp.linalg.eigvalsh(jax.vmap(product)(jnp.eye(flat.size, dtype=flat.dtype)))
    return eigenvalues[0], eigenvalues[-1]


def _found_ends(mean_loss: MeanLoss, params: Any, data: Any) -> tuple[jax.Array, jax.Array, str]:
    """The smallest and largest eigenvalue by Lanczos, and a message if they have not converged."""
    search = functools.partial(eigenpairs, mean_loss, params, data, k=1, key=None)
    (largest, _, above), found_largest = search(which="largest")
    (smallest, _, below), found_smallest = search(which="smallest")
    unconverged = ""
    if not (found_largest and found_smallest):
        unconverged = (
            f"{smallest[0]:.3g} has the residual {below[0]:.3g}, and {largest[0]:.3g} has "
            f"{above[0]:.3g}"
        )
    return smallest[0], largest[0], unconverged
