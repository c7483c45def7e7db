"""Problems that make a method fail, and transformations of problems that test invariances."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.values import real_numbers
from gdlab.problems.problem import Problem, constant, point, tags
from gdlab.problems.quadratics import orthogonal, rotation_by


@checked
def heavy_ball_cycle() -> Problem:
    """A strongly convex function on which the heavy ball with Polyak's parameters cycles forever.

    f′(x) = 25x for x < 1,  x + 24 for 1 ≤ x < 2,  25x − 24 for x ≥ 2

    Its curvature is everywhere 1 or 25. For quadratics with these curvatures η = 1/9 and β = 4/9
    are optimal; here, starting from 3.3, they lead into the cycle {792, −2208, 2592}/1225. Gradient
    descent and Nesterov's method converge.

    >>> from gdlab import minimize, problems, sgd
    >>> problem = problems.heavy_ball_cycle()
    >>> run = minimize(problem, problem.start, sgd(1 / 9, 4 / 9), steps=99)
    >>> sorted(round(1225 * x) for x in run.path[-3:].tolist())
    [-2208, 792, 2592]

    Source: L. Lessard, B. Recht, A. Packard, Analysis and design of optimization algorithms via
    integral quadratic constraints, 2016, section 4.6.
    """

    def function(x: jax.Array) -> jax.Array:
        middle = 0.5 * x**2 + 24 * x - 12
        right = 12.5 * x**2 - 24 * x + 36
        return jnp.where(x < 1, 12.5 * x**2, jnp.where(x < 2, middle, right))

    return Problem(
        function=function,
        name="heavy-ball cycle",
        start=np.array(3.3),
        source="L. Lessard, B. Recht, A. Packard, Analysis and design of optimization algorithms "
        "via integral quadratic constraints, 2016",
        tags=tags("convex", "trap"),
        minimum=0.0,
        minimisers=(np.array(0.0),),
        spectrum=point(25.0),
        curvature_bounds=(1.0, 25.0),
    )


@checked
def rare_large_gradient(slope: float = 3.0) -> Problem:
    """A linear function with rare steep and frequent shallow gradients, on which Adam ascends.

    fₜ(x) = Cx once in three steps, else −x,    −1 ≤ x ≤ 1,    C > 2

    The mean slope is (C − 2)/3 > 0, so that −1 is the minimiser. Adam with b1 = 0 and b2 = 1/(1 +
    C²) divides the rare gradient by its own size, and has forgotten it at the other gradients: it
    ends at +1, the worst point. AMSGrad does not.

    The three terms are the data, from which batches of size 1 are drawn at random; in their given
    order they are the paper's example. Keep x in its box with
    ``gdlab.project_onto_box(*problem.box)`` at the end of the chain.

    Args:
        slope: the steep slope C > 2.

    Raises:
        ValueError: if ``slope`` is not above 2.

    >>> import jax
    >>> from gdlab import adam, amsgrad, chain, minimize, problems, project_onto_box
    >>> problem = problems.rare_large_gradient()
    >>> def end_of(method):
    ...     tx = chain(method, project_onto_box(*problem.box))
    ...     one_by_one = dict(data=problem.data, batch_size=1, key=jax.random.key(0))
    ...     return round(float(minimize(problem, problem.start, tx, 1500, **one_by_one).params), 1)
    >>> end_of(adam(0.01, b1=0.0, b2=0.1)), end_of(amsgrad(0.01, b1=0.0, b2=0.1))
    (1.0, -1.0)

    Source: S. J. Reddi, S. Kale, S. Kumar, On the convergence of Adam and beyond, 2018, theorem 1.
    """
    if not slope > 2:
        raise ValueError(f"slope must be more than 2, so that −1 is the minimiser, not {slope}")
    return Problem(
        function=lambda x, batch: jnp.mean(constant(batch, x)) * x,
        name="rare large gradient",
        start=np.array(0.0),
        source="S. J. Reddi, S. Kale, S. Kumar, On the convergence of Adam and beyond, 2018",
        tags=tags("convex", "constrained", "degenerate", "data", "trap"),
        minimum=-(slope - 2) / 3,
        minimisers=(np.array(-1.0),),
        spectrum=point(0.0),
        curvature_bounds=(0.0, 0.0),
        box=(-1.0, 1.0),
        data=point(slope, -1.0, -1.0),
    )


@checked
def rotated(problem: Problem, rotation: float | np.ndarray) -> Problem:
    """The same problem in rotated coordinates.

    f̃(w) = f(Qᵀw),    so that w̃* = Qw*

    The paths of gradient descent and momentum are rotated too, and otherwise the same. A method
    with a step size for each coordinate takes another path.

    Args:
        problem: a problem whose parameters are a vector.
        rotation: the orthogonal matrix Q, or in two dimensions the angle in radians.

    Raises:
        ValueError: if the parameters are not a vector, there is a box, or ``rotation`` is not
            orthogonal.

    >>> import numpy as np
    >>> from gdlab import problems
    >>> problems.rotated(problems.booth(), np.pi / 2).minimisers
    (array([-3., 1.]),)

    Source: D. P. Kingma, J. Ba, Adam, 2015, has the method; that its steps depend on the axes, e.g.
    R. Anil et al., Scalable second order optimization for deep learning, 2020.
    """
    if np.ndim(problem.start) != 1:
        raise ValueError(
            f"only a vector can be rotated, but the parameters of {problem.name} are no vector"
        )
    if problem.box is not None:
        raise ValueError(f"{problem.name} has a box, whose sides would not be along the axes")
    size = len(problem.start)
    matrix = (
        rotation_by(float(real_numbers("rotation", rotation)))
        if np.ndim(rotation) == 0 and size == 2
        else orthogonal("rotation", rotation, size)
    )

    @functools.wraps(problem.function)
    def function(w: jax.Array, *args: Any, **kwargs: Any) -> jax.Array:
        return problem.function(constant(matrix.T, w) @ w, *args, **kwargs)

    def box_around(bounds: Any) -> Any:
        corners = np.array([(x, y) for x in bounds[0] for y in bounds[1]]) @ matrix.T
        (left, bottom), (right, top) = corners.min(axis=0), corners.max(axis=0)
        return (float(left), float(right)), (float(bottom), float(top))

    def model_of(model: Callable[..., Any]) -> Callable[..., Any]:
        return lambda w, inputs: model(constant(matrix.T, w) @ w, inputs)

    return dataclasses.replace(
        _moved(problem, lambda w: matrix @ w),
        function=function,
        name=f"{problem.name}, rotated",
        gradient_noise=_if_known(problem.gradient_noise, lambda noise: matrix @ noise @ matrix.T),
        bounds=_if_known(problem.bounds, box_around),
        model=_if_known(problem.model, model_of),
    )


@checked
def rescaled(problem: Problem, value: float = 1.0, units: float = 1.0) -> Problem:
    """The same problem with values and parameters in other units.

    f̃(w) = value · f(units · w),    so that λ̃ = value · units² · λ

    Adam's path does not depend on ``value`` (apart from ε), gradient descent's does. The path of
    Adadelta, in its units, does not depend on ``units`` either if ε is rescaled with them.

    Args:
        problem: a problem without a box.
        value: the factor of the values, positive.
        units: the factor of the parameters, positive: a parameter that was 1 is then 1/units.

    Raises:
        ValueError: if a factor is not positive, or there is a box.

    >>> from gdlab import adam, minimize, problems
    >>> problem = problems.beale()
    >>> larger = problems.rescaled(problem, value=1000.0)
    >>> ends = [minimize(f, f.start, adam(0.1), steps=10).params for f in (problem, larger)]
    >>> bool(abs(ends[0] - ends[1]).max() < 1e-5)
    True

    Source: D. P. Kingma, J. Ba, Adam, 2015, section 2.1; M. D. Zeiler, ADADELTA, 2012, section 3.2.
    """
    if not (value > 0 and units > 0):
        raise ValueError(f"value and units must be positive, not {value} and {units}")
    if problem.box is not None:
        raise ValueError(f"{problem.name} has a box, which only changes of its own units would fit")

    @functools.wraps(problem.function)
    def function(w: Any, *args: Any, **kwargs: Any) -> jax.Array:
        return value * problem.function(_scaled(units, w), *args, **kwargs)

    def model_of(model: Callable[..., Any]) -> Callable[..., Any]:
        return lambda w, inputs: model(_scaled(units, w), inputs)

    factor = value * units**2
    return dataclasses.replace(
        _moved(problem, lambda w: _scaled(1 / units, w)),
        function=function,
        name=f"{problem.name}, rescaled",
        minimum=_if_known(problem.minimum, lambda minimum: value * minimum),
        spectrum=_if_known(problem.spectrum, lambda spectrum: factor * spectrum),
        curvature_bounds=_if_known(
            problem.curvature_bounds, lambda pair: (factor * pair[0], factor * pair[1])
        ),
        gradient_noise=_if_known(
            problem.gradient_noise, lambda noise: (value * units) ** 2 * noise
        ),
        bounds=_if_known(
            problem.bounds,
            lambda sides: tuple((low / units, high / units) for low, high in sides),
        ),
        model=_if_known(problem.model, model_of),
        activations=_if_known(problem.activations, model_of),
    )


def _scaled(factor: float, tree: Any) -> Any:
    return jax.tree.map(lambda x: factor * x, tree)


def _if_known(known: Any, change: Callable[[Any], Any]) -> Any:
    return None if known is None else change(known)


def _moved(problem: Problem, move: Any) -> Problem:
    """The problem with all its points mapped by ``move``."""
    names = ("minimisers", "local_minimisers", "saddles", "maximisers")
    points = {name: tuple(move(w) for w in getattr(problem, name)) for name in names}
    init = _if_known(problem.init, lambda init: lambda key: move(init(key)))
    return dataclasses.replace(problem, start=move(problem.start), init=init, **points)
