"""The differential equations that gradient descent and momentum follow as their steps shrink."""

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Between
from gdlab.checks.values import is_array_of_reals, real_numbers, shortened
from gdlab.training.models import ModelState
from gdlab.training.objective import ByIdentity, Objective

FLOAT32_TOLERANCE = 1e-6
"""The error tolerance of a solver step in float32; float64 uses its square."""
MAX_STEPS = 100_000
"""The number of solver steps after which the solution is given up."""


@checked
def gradient_flow(fun: Callable[[Any], Any], w0: Any, times: Any) -> Any:
    """The path that gradient descent follows as η → 0: ẇ = −∇f(w).

    Step k of gradient descent corresponds to the time kη.

    Args:
        fun: ``fun(params)``, a real scalar.
        w0: the start, a tree of floating-point arrays.
        times: rising times of shape (n,); the first one is the time of the start.

    Returns:
        The parameters at those times, a tree like ``w0`` with a leading axis of n.

    Raises:
        TypeError: if ``w0`` is not a tree of floating-point arrays, or ``fun`` does not return a
            real scalar.
        ValueError: if the start is not finite, the times do not rise, or if the path diverges or
            needs more than 100,000 steps of the solver.

    >>> import jax.numpy as jnp
    >>> from gdlab.analysis import gradient_flow
    >>> gradient_flow(lambda w: 0.5 * w**2, jnp.array(2.0), [0.0, 1.0])[1].round(4)  # 2/e
    Array(0.7358, dtype=float32)
    """
    return _solved(_downhill, _floating(w0), times, fun, fun)


@checked
def heavy_ball_flow(
    fun: Callable[[Any], Any], w0: Any, times: Any, friction: Annotated[float, Between(0)]
) -> Any:
    """The path that momentum follows as its steps shrink: ẅ + γẇ + ∇f(w) = 0, from rest.

    With a time step h, step k of ``sgd(h**2, momentum=1 - friction * h)`` corresponds to the time
    kh.

    Args:
        fun: ``fun(params)``, a real scalar.
        w0: the start, a tree of floating-point arrays.
        times: rising times of shape (n,); the first one is the time of the start.
        friction: the friction γ ≥ 0, per unit of time.

    Returns:
        The parameters at those times, a tree like ``w0`` with a leading axis of n.

    Raises:
        TypeError: if ``w0`` is not a tree of floating-point arrays, or ``fun`` does not return a
            real scalar.
        ValueError: if the times do not rise, or if the path diverges or needs more than 100,000
            steps of the solver.

    >>> import jax.numpy as jnp
    >>> from gdlab.analysis import heavy_ball_flow
    >>> times = [0.0, jnp.pi]
    >>> path = heavy_ball_flow(lambda w: 0.5 * w**2, jnp.array(2.0), times, friction=0.0)
    >>> path[1].round(4)  # half a turn
    Array(-2., dtype=float32)

    Source: B. T. Polyak, Some methods of speeding up the convergence of iteration methods, 1964,
    section 2.
    """
    w0 = _floating(w0)
    friction = jax.tree.map(lambda leaf: jnp.asarray(friction, leaf.dtype), w0)
    start = w0, jax.tree.map(jnp.zeros_like, w0)
    return _solved(_rolling, start, times, (fun, friction), fun)[0]


# Vector fields at module level, with ``fun`` as an argument: a new closure would recompile.


def _downhill(_, w, fun):
    return jax.tree.map(jnp.negative, _gradient(fun, w))


def _rolling(_, state, fun_and_friction):
    (w, velocity), (fun, friction) = state, fun_and_friction
    gradient = _gradient(fun, w)
    return velocity, jax.tree.map(lambda v, g, c: -c * v - g, velocity, gradient, friction)


def _gradient(fun: Callable[[Any], Any], w: Any) -> Any:
    objective = Objective(
        ByIdentity(fun), has_batch=False, has_aux=False, has_state=False, name="fun"
    )
    return jax.grad(lambda w: objective(w, None, None, ModelState())[0])(w)


def _floating(w0: Any) -> Any:
    """The start as real floating-point arrays, which have gradients."""
    leaves = jax.tree.leaves(w0)
    for leaf in leaves or [w0]:
        if not (is_array_of_reals(leaf) and jnp.issubdtype(jnp.result_type(leaf), jnp.floating)):
            raise TypeError(
                f"w0 must be a tree of floating-point arrays, but has {shortened(leaf)}"
            )
    if not all(bool(jnp.isfinite(leaf).all()) for leaf in leaves):
        raise ValueError("w0 must be finite")
    return jax.tree.map(jnp.asarray, w0)


def _solved(
    field: Callable[..., Any],
    start: Any,
    times: Any,
    arguments: Any,
    fun: Callable[[Any], Any],
) -> Any:
    import diffrax

    times = real_numbers("times", times, ndim=1, rising=True)
    if times.size < 2:
        raise ValueError(f"times must be at least two numbers that rise, not {times}")
    dtype = jnp.result_type(*jax.tree.leaves(start))
    tolerance = FLOAT32_TOLERANCE if dtype == jnp.float32 else FLOAT32_TOLERANCE**2
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(field),
        diffrax.Tsit5() if dtype == jnp.float32 else diffrax.Dopri8(),
        times[0],
        times[-1],
        None,
        start,
        arguments,
        saveat=diffrax.SaveAt(ts=times.astype(dtype)),
        stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
        max_steps=MAX_STEPS,
        throw=False,
    )
    if diffrax.is_successful(solution.result):
        return solution.ys
    raise ValueError(
        f"times: the path of {fun!r} cannot be followed from {times[0]:g} to {times[-1]:g} in "
        f"{MAX_STEPS} steps of the solver: it leaves all bounds, or is too stiff or too long"
    )
