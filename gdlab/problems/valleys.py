"""Functions with one minimum, most of them at the bottom of a long valley."""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import LARGEST_LENGTH, Between, Length
from gdlab.problems.problem import Problem, point, tags

SURVEY = "M. Jamil, X.-S. Yang, A literature survey of benchmark functions, 2013"


@checked
def rosenbrock(size: Annotated[int, Between(2, LARGEST_LENGTH)] = 2) -> Problem:
    """Rosenbrock's banana: a curved valley whose floor is nearly flat.

    f(w) = Σᵢ 100 (wᵢ₊₁ − wᵢ²)² + (1 − wᵢ)²,    f = 0 at (1, …, 1)

    From four dimensions on there is a second, higher minimum near (−1, 1, …, 1).

    >>> from gdlab import problems
    >>> problems.rosenbrock()(problems.rosenbrock().start)
    Array(24.2, dtype=float32)

    Source: H. H. Rosenbrock, An automatic method for finding the greatest or least value of a
    function, 1960; for n dimensions Y.-W. Shang, Y.-H. Qiu, A note on the extended Rosenbrock
    function, 2006.
    """
    diagonal = np.full(size, 1002.0)
    diagonal[0], diagonal[-1] = 802.0, 200.0
    beside = np.full(size - 1, -400.0)
    return Problem(
        function=lambda w: jnp.sum(100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2),
        name="Rosenbrock" if size == 2 else f"Rosenbrock in {size} dimensions",
        start=np.resize([-1.2, 1.0], size),
        source="H. H. Rosenbrock, An automatic method for finding the greatest or least value of "
        "a function, 1960",
        tags=tags("ravine", multimodal=size > 3),
        minimum=0.0,
        minimisers=(np.ones(size),),
        spectrum=np.linalg.eigvalsh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)),
        bounds=((-2.0, 2.0), (-1.0, 3.0)) if size == 2 else None,
    )


@checked
def beale() -> Problem:
    """Beale's function: a plain with sharp edges, and a flat valley in it.

    f(x, y) = (1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²,    f = 0 at (3, ½)

    >>> from gdlab import problems
    >>> problems.beale()(problems.beale().start)
    Array(14.203125, dtype=float32)

    Source: E. M. L. Beale, On an iterative method for finding a local minimum of a function of
    more than one variable, 1958; the start is that of Moré, Garbow and Hillstrom, 1981. It is one
    of the three scenes of A. Radford, Visualizing optimization algorithms, 2014.
    """

    def function(w: jax.Array) -> jax.Array:
        x, y = w
        return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2

    slopes = np.array([[-0.5, 3.0], [-0.75, 3.0], [-0.875, 2.25]])  # zero residuals
    return Problem(
        function=function,
        name="Beale",
        start=point(1.0, 1.0),
        source="E. M. L. Beale, On an iterative method for finding a local minimum of a function "
        "of more than one variable, 1958",
        tags=tags("ravine", "plateau", "saddle"),
        minimum=0.0,
        minimisers=(point(3.0, 0.5),),
        saddles=(point(0.0, 1.0),),
        spectrum=np.linalg.eigvalsh(2 * slopes.T @ slopes),
        bounds=((-4.5, 4.5), (-4.5, 4.5)),
    )


@checked
def long_valley() -> Problem:
    """A straight valley with steep walls, whose floor has a nearly constant slope.

    f(x, y) = 50 x² + √(1 + y²) − 1,    f = 0 at (0, 0)

    The walls limit the learning rate to 1/50, with which gradient descent creeps along the floor,
    whose slope is at most 1.

    >>> import jax
    >>> from gdlab import problems
    >>> jax.grad(problems.long_valley())(problems.long_valley().start)
    Array([50. , -0.995...], dtype=float32)

    Source: after the picture of A. Radford, Visualizing optimization algorithms, 2014, who gives no
    formula.
    """
    return Problem(
        function=lambda w: 50 * w[0] ** 2 + jnp.sqrt(1 + w[1] ** 2) - 1,
        name="long valley",
        start=point(0.5, -10.0),
        source="after A. Radford, Visualizing optimization algorithms, 2014",
        tags=tags("convex", "ravine"),
        minimum=0.0,
        minimisers=(point(0.0, 0.0),),
        spectrum=point(1.0, 100.0),
        curvature_bounds=(0.0, 100.0),
        bounds=((-1.0, 1.0), (-12.0, 4.0)),
    )


@checked
def booth() -> Problem:
    """Booth's function: a well-conditioned quadratic between the axes.

    f(x, y) = (x + 2y − 7)² + (2x + y − 5)²,    f = 0 at (1, 3)

    >>> from gdlab import problems
    >>> problems.booth().spectrum
    array([ 2., 18.])

    Source: M. Jamil, X.-S. Yang, A literature survey of benchmark functions, 2013.
    """
    return Problem(
        function=lambda w: (w[0] + 2 * w[1] - 7) ** 2 + (2 * w[0] + w[1] - 5) ** 2,
        name="Booth",
        start=point(-5.0, -5.0),
        source=SURVEY,
        tags=tags("convex", "quadratic"),
        minimum=0.0,
        minimisers=(point(1.0, 3.0),),
        spectrum=point(2.0, 18.0),
        curvature_bounds=(2.0, 18.0),
        bounds=((-10.0, 10.0), (-10.0, 10.0)),
    )


@checked
def matyas() -> Problem:
    """Matyas's function: a quadratic ravine along the diagonal.

    f(x, y) = 0.26 (x² + y²) − 0.48 xy,    f = 0 at (0, 0)

    >>> from gdlab import problems
    >>> problems.matyas().spectrum
    array([0.04, 1.  ])

    Source: M. Jamil, X.-S. Yang, A literature survey of benchmark functions, 2013.
    """
    return Problem(
        function=lambda w: 0.26 * (w[0] ** 2 + w[1] ** 2) - 0.48 * w[0] * w[1],
        name="Matyas",
        start=point(-8.0, 2.0),
        source=SURVEY,
        tags=tags("convex", "quadratic", "ravine"),
        minimum=0.0,
        minimisers=(point(0.0, 0.0),),
        spectrum=point(0.04, 1.0),
        curvature_bounds=(0.04, 1.0),
        bounds=((-10.0, 10.0), (-10.0, 10.0)),
    )


@checked
def powell_singular() -> Problem:
    """Powell's singular function: convex, but at the minimiser two of four curvatures vanish.

    f(w) = (w₁ + 10w₂)² + 5(w₃ − w₄)² + (w₂ − 2w₃)⁴ + 10(w₁ − w₄)⁴,    f = 0 at 0

    >>> from gdlab import problems
    >>> problems.powell_singular().spectrum
    array([  0.,   0.,  20., 202.])

    Source: M. J. D. Powell, An iterative method for finding stationary values of a function of
    several variables, 1962.
    """

    def function(w: jax.Array) -> jax.Array:
        a, b, c, d = w
        return (a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4

    return Problem(
        function=function,
        name="Powell's singular function",
        start=point(3.0, -1.0, 0.0, 1.0),
        source="M. J. D. Powell, An iterative method for finding stationary values of a function "
        "of several variables, 1962",
        tags=tags("convex", "degenerate", "ravine"),
        minimum=0.0,
        minimisers=(np.zeros(4),),
        spectrum=point(0.0, 0.0, 20.0, 202.0),
    )


@checked
def zakharov(size: Length = 2) -> Problem:
    """Zakharov's function: a bowl, and a wall across it that grows with the fourth power.

    f(w) = Σᵢ wᵢ² + s² + s⁴, with s = ½ Σᵢ i wᵢ,    f = 0 at 0

    >>> from gdlab import problems
    >>> problems.zakharov().spectrum
    array([2. , 4.5])

    Source: M. Jamil, X.-S. Yang, A literature survey of benchmark functions, 2013.
    """
    weights = np.arange(1, size + 1) / 2

    def function(w: jax.Array) -> jax.Array:
        s = jnp.sum(jnp.asarray(weights, w.dtype) * w)
        return jnp.sum(w**2) + s**2 + s**4

    steepest = 2 + 2 * float(weights @ weights)
    return Problem(
        function=function,
        name="Zakharov" if size == 2 else f"Zakharov in {size} dimensions",
        start=np.resize([-4.0, 6.0], size),
        source=SURVEY,
        tags=tags("convex", ravine=steepest >= 20 and size > 1),
        minimum=0.0,
        minimisers=(np.zeros(size),),
        spectrum=np.append(np.full(size - 1, 2.0), steepest),
        bounds=((-8.0, 8.0), (-8.0, 8.0)) if size == 2 else None,
    )
