"""Newton's step, from Hessian-vector products alone."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.flatten_util import ravel_pytree

from gdlab.analysis.curvature.eigenpairs import flat_hessian
from gdlab.analysis.curvature.hessian import MeanLoss
from gdlab.analysis.curvature.lanczos import krylov, masked_eigh, require_krylov_memory
from gdlab.analysis.curvature.parameter_space import (
    machine_precision,
    number_of_parameters,
    require_finite,
)
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Count
from gdlab.core.numerics import cast
from gdlab.training.models import open_model

_MOST_DIMENSIONS, _MOST_PASSES = 100, 50


@checked
def newton_step(
    loss: Callable[..., Any],
    params: Any,
    data: Any = None,
    *,
    batch_size: Count | None = None,
) -> Any:
    """The parameters after one step of Newton's method.

    wₜ₊₁ = wₜ − H⁻¹ ∇L(wₜ)

    On a quadratic the result is the minimum, from any start. The system is solved by Lanczos'
    method in the Krylov space of the gradient: the curvature must be positive there, and does not
    matter elsewhere. If the Hessian is singular and the system solvable, the step is the shortest
    solution.

    It takes a hundred Hessian-vector products or more, and the memory of a hundred vectors. The
    residual r = ∇L(wₜ) + H·(wₜ₊₁ − wₜ) satisfies ‖r‖ ≤ √ε·(‖H‖·‖wₜ₊₁ − wₜ‖ + ‖∇L(wₜ)‖), where ε is
    the precision of the parameters' dtype; along directions whose curvature is below √ε·‖H‖, the
    step may therefore be too short, so use float64 for ill-conditioned losses.

    Args:
        loss: ``loss(params)``, or ``loss(params, batch)``, a mean over the batch, if there are
            data; a real scalar.
        params: a tree of real floating-point arrays, or a model as in :func:`gdlab.minimize`.
        data: a tree of arrays with a leading axis of examples, or a loader, of which one pass is
            held in memory; the loss is the mean over all examples.
        batch_size: the number of examples in memory at a time; ``None`` for all.

    Returns:
        A tree like ``params``. Inside ``jax.jit`` it is NaN where an exception would be raised.

    Raises:
        TypeError: if a parameter is not real, or the loss no real scalar.
        ValueError: if the gradient or the Hessian is not finite, the Hessian has a negative
            curvature, or is singular and the system has no solution, or the vectors do not fit into
            memory.
        ImportError: if matfree is not installed.

    >>> import jax.numpy as jnp
    >>> from gdlab.analysis import newton_step
    >>> loss = lambda w: (w[0] - 3) ** 2 + 10 * (w[1] - w[0]) ** 2
    >>> newton_step(loss, jnp.array([-1.0, 2.0])).round(4)
    Array([3., 3.], dtype=float32)
    """
    model = open_model(params)
    mean_loss, wide, data = MeanLoss.over(loss, model, data, batch_size)
    rows = min(number_of_parameters(wide), _MOST_DIMENSIONS)
    require_krylov_memory("params", rows, wide, "gdlab.newton_cg takes such steps in a few vectors")
    new, gradient_norm, lowest, error = _step(mean_loss, wide, data)
    if not isinstance(error, Tracer):
        require_finite(gradient_norm, "the gradient")
        require_finite(lowest, "the Hessian")
        if lowest < 0:
            raise ValueError(
                f"the Hessian is indefinite, with curvatures of {lowest:.3g} and less along the "
                "gradient: a Newton step would lead to a saddle point or up to a maximum; take "
                "gradient steps first"
            )
        if not math.isfinite(error) or error > machine_precision(wide) ** 0.5:
            raise ValueError(
                "the Hessian is singular, or too ill-conditioned for the parameters' dtype, and no "
                f"step makes the gradient vanish: the relative error {error:.3g} is left"
            )
    new = jax.tree.map(lambda leaf, old: cast(leaf, jnp.result_type(old)), new, model.params)
    return model.form.close(new, model.held)


@jax.jit
def _step(
    mean_loss: MeanLoss, params: Any, data: Any
) -> tuple[Any, jax.Array, jax.Array, jax.Array]:
    """Return new parameters, gradient norm, a negative curvature or 0, and the solution's error."""
    flat, unravel = ravel_pytree(params)
    gradient, _ = ravel_pytree(mean_loss.gradient(params, data))
    gradient_norm = jnp.linalg.norm(gradient)
    matvec = flat_hessian(mean_loss, params, data)
    dimension = min(number_of_parameters(params), _MOST_DIMENSIONS)
    precision = machine_precision(params)

    def error_of(step, residual, scale):
        """The residual of a system, relative to the terms that cancel in it."""
        terms = scale * jnp.linalg.norm(step) + gradient_norm
        return jnp.linalg.norm(residual) / jnp.where(terms > 0, terms, 1)

    def improve(carry):
        step, residual, scale, lowest, error, _, passes = carry
        space = krylov(matvec, residual, dimension)
        values, rotation = masked_eigh(space.tridiagonal, space.exists)
        values = jnp.where(space.exists, values, 0)
        scale = jnp.maximum(scale, jnp.max(jnp.abs(values)))
        zero = 10 * dimension * precision * scale
        inverse = jnp.where(jnp.abs(values) > zero, 1 / jnp.where(values == 0, 1, values), 0)
        along = rotation @ (inverse * rotation[0])
        new = step + jnp.linalg.norm(residual) * (along @ space.basis)
        lowest = jnp.where(values.min() < -zero, jnp.minimum(lowest, values.min()), lowest)
        left = -gradient - matvec(new)
        new_error = error_of(new, left, scale)
        better = new_error < 0.5 * error
        step, residual = jnp.where(better, new, step), jnp.where(better, left, residual)
        error = jnp.where(better, new_error, error)
        return step, residual, scale, lowest, error, better, passes + 1

    def goes_on(carry):
        *_, lowest, error, better, passes = carry
        return better & (lowest == 0) & (error > precision) & (passes < _MOST_PASSES)

    zero = jnp.zeros((), flat.dtype)
    one = jnp.where(gradient_norm > 0, 1, 0).astype(flat.dtype)
    start = jnp.zeros_like(flat), -gradient, zero, zero, one, jnp.asarray(True), jnp.asarray(0)
    step, _, _, lowest, error, *_ = jax.lax.while_loop(goes_on, improve, start)
    lowest = jnp.where(jnp.isfinite(matvec(gradient)).all(), lowest, jnp.nan)
    solved = (lowest == 0) & (error <= precision**0.5)
    return unravel(jnp.where(solved, flat + step, jnp.nan)), gradient_norm, lowest, error
