"""Saddles, and plateaus on which the gradient nearly vanishes."""

import jax.numpy as jnp
import numpy as np

from gdlab.checks.checked import checked
from gdlab.problems.problem import Problem, point, tags


@checked
def saddle() -> Problem:
    """The simple saddle, started close to its ridge.

    f(x, y) = x² − y²

    Gradient descent multiplies the distance from the ridge by 1 + 2η in each step.

    >>> from gdlab import minimize, problems, sgd
    >>> path = minimize(problems.saddle(), problems.saddle().start, sgd(0.1), steps=2).path
    >>> (path[:, 1] / path[0, 1]).tolist()
    [1.000, 1.200, 1.440]

    Source: after A. Radford, Visualizing optimization algorithms, 2014.
    """
    return Problem(
        function=lambda w: w[0] ** 2 - w[1] ** 2,
        name="saddle",
        start=point(-1.0, 1e-3),
        source="after A. Radford, Visualizing optimization algorithms, 2014",
        tags=tags("quadratic", "saddle", "unbounded"),
        minimum=-np.inf,
        saddles=(point(0.0, 0.0),),
        spectrum=point(-2.0, 2.0),
        curvature_bounds=(-2.0, 2.0),
        bounds=((-1.5, 1.5), (-1.5, 1.5)),
    )


@checked
def monkey_saddle() -> Problem:
    """A saddle with room for a tail: three ways down, three ways up, and no curvature between.

    f(x, y) = x³ − 3xy²

    The Hessian at the saddle is zero, so that it does not distinguish the saddle from a minimum.

    >>> from gdlab import problems
    >>> problems.monkey_saddle().spectrum
    array([0., 0.])

    Source: D. Hilbert, S. Cohn-Vossen, Geometry and the Imagination, 1932.
    """
    return Problem(
        function=lambda w: w[0] ** 3 - 3 * w[0] * w[1] ** 2,
        name="monkey saddle",
        start=point(0.9, 1e-2),
        source="D. Hilbert, S. Cohn-Vossen, Geometry and the Imagination, 1932",
        tags=tags("saddle", "degenerate", "unbounded"),
        minimum=-np.inf,
        saddles=(point(0.0, 0.0),),
        spectrum=point(0.0, 0.0),
        bounds=((-1.2, 1.2), (-1.2, 1.2)),
    )


@checked
def double_well() -> Problem:
    """Two minima with a saddle between them, started close to the ridge that separates them.

    f(x, y) = ¼ (x² − 1)² + ½ y²,    f = 0 at (±1, 0)

    >>> from gdlab import problems
    >>> problems.double_well().minimisers
    (array([1., 0.]), array([-1., 0.]))

    Source: S. H. Strogatz, Nonlinear Dynamics and Chaos, 1994, example 6.5.2.
    """
    return Problem(
        function=lambda w: 0.25 * (w[0] ** 2 - 1) ** 2 + 0.5 * w[1] ** 2,
        name="double well",
        start=point(1e-3, 1.0),
        source="S. H. Strogatz, Nonlinear Dynamics and Chaos, 1994",
        tags=tags("saddle", "multimodal"),
        minimum=0.0,
        minimisers=(point(1.0, 0.0), point(-1.0, 0.0)),
        saddles=(point(0.0, 0.0),),
        spectrum=point(1.0, 2.0),
        bounds=((-1.8, 1.8), (-1.2, 1.2)),
    )


@checked
def plateau() -> Problem:
    """A well in a plateau that gets flatter with the distance.

    f(w) = r²/(1 + r²) with r = ‖w‖,    f = 0 at 0

    The slope 2r/(1 + r²)² falls as r⁻³, so that no learning rate suits both the plateau and the
    well, where the curvature is 2.

    >>> import jax
    >>> from gdlab import problems
    >>> jax.grad(problems.plateau())(problems.plateau().start).tolist()
    [-0.00888, 0.01183]

    Source: S. Geman, D. McClure, Bayesian image analysis, 1985 (their robust loss).
    """
    return Problem(
        function=lambda w: jnp.sum(w**2) / (1 + jnp.sum(w**2)),
        name="plateau",
        start=point(-3.0, 4.0),
        source="S. Geman, D. McClure, Bayesian image analysis, 1985",
        tags=tags("plateau"),
        minimum=0.0,
        minimisers=(point(0.0, 0.0),),
        spectrum=point(2.0, 2.0),
        curvature_bounds=(-0.5, 2.0),
        bounds=((-6.0, 6.0), (-6.0, 6.0)),
    )


@checked
def easom() -> Problem:
    """Easom's function: one narrow well in a plateau that is flat to machine precision.

    f(x, y) = −cos x cos y exp(−(x − π)² − (y − π)²),    f = −1 at (π, π)

    >>> from gdlab import problems
    >>> problems.easom().spectrum
    array([3., 3.])

    Source: E. E. Easom, A survey of global optimization techniques, 1990.
    """
    return Problem(
        function=lambda w: -jnp.prod(jnp.cos(w)) * jnp.exp(-jnp.sum((w - np.pi) ** 2)),
        name="Easom",
        start=point(1.9, 2.2),
        source="E. E. Easom, A survey of global optimization techniques, 1990",
        tags=tags("plateau", "multimodal"),
        minimum=-1.0,
        minimisers=(point(np.pi, np.pi),),
        spectrum=point(3.0, 3.0),
        bounds=((0.0, 6.3), (0.0, 6.3)),
    )
