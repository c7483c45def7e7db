"""The differential equations that gradient descent and momentum follow as their steps shrink."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.checked import checked

FLOAT32_TOLERANCE = 1e-6
"""The error tolerance of a solver step in float32; float64 uses its square."""


@checked
def gradient_flow(fun: Callable[[Any], Any], w0: Any, times: Any) -> Any:
    """The path that gradient descent follows as η → 0: ẇ = −∇f(w).

    Step k of gradient descent stands at time kη.

    Args:
        fun: ``fun(params)``, a real scalar.
        w0: the start, a tree of floating-point arrays.
        times: rising times of shape (n,), the first one that of the start.

    Returns:
        The parameters at those times, a tree like ``w0`` with a leading axis of n.

    Raises:
        ValueError: unless the times rise.

    >>> import jax.numpy as jnp
    >>> from gdlab.analysis import gradient_flow
    >>> gradient_flow(lambda w: 0.5 * w**2, jnp.array(2.0), [0.0, 1.0])[1].round(4)  # 2/e
    Array(0.7358, dtype=float32)
    """
    return _solved(_downhill, jax.tree.map(jnp.asarray, w0), times, fun)


@checked
def heavy_ball_flow(fun: Callable[[Any], Any], w0: Any, times: Any, friction: float) -> Any:
    """The path that momentum follows as its steps shrink: ẅ + γẇ + ∇f(w) = 0, from rest.

    With a time step h, step k of ``sgd(h**2, momentum=1 - friction * h)`` stands at time kh.

    Args:
        fun: ``fun(params)``, a real scalar.
        w0: the start, a tree of floating-point arrays.
        times: rising times of shape (n,), the first one that of the start.
        friction: γ ≥ 0.

    Returns:
        The parameters at those times, a tree like ``w0`` with a leading axis of n.

    Raises:
        ValueError: unless the times rise.

    >>> import jax.numpy as jnp
    >>> from gdlab.analysis import heavy_ball_flow
    >>> times = [0.0, jnp.pi]
    >>> path = heavy_ball_flow(lambda w: 0.5 * w**2, jnp.array(2.0), times, friction=0.0)
    >>> path[1].round(4)  # half a turn
    Array(-2., dtype=float32)

    Source: B. T. Polyak, Some methods of speeding up the convergence of iteration methods, 1964,
    section 2.
    """
    w0 = jax.tree.map(jnp.asarray, w0)
    friction = jax.tree.map(lambda leaf: jnp.asarray(friction, leaf.dtype), w0)
    start = w0, jax.tree.map(jnp.zeros_like, w0)
    return _solved(_rolling, start, times, (fun, friction))[0]


# Fields are kept here, with the function as their argument, since a new one would compile anew.


def _downhill(_, w, fun):
    return jax.tree.map(jnp.negative, jax.grad(fun)(w))


def _rolling(_, state, fun_and_friction):
    (w, velocity), (fun, friction) = state, fun_and_friction
    gradient = jax.grad(fun)(w)
    return velocity, jax.tree.map(lambda v, g, c: -c * v - g, velocity, gradient, friction)


def _solved(field: Callable[..., Any], start: Any, times: Any, arguments: Any) -> Any:
    import diffrax

    times = np.asarray(times)
    if times.ndim != 1 or times.size < 2 or not np.all(np.diff(times) > 0):
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
        max_steps=None,
    )
    return solution.ys
