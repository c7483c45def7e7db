"""Functions with several minima."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Length
from gdlab.problems.problem import Problem, point, tags
from gdlab.problems.valleys import SURVEY


@checked
def himmelblau() -> Problem:
    """Himmelblau's function: four minima of equal value around a hill.

    f(x, y) = (x² + y − 11)² + (x + y² − 7)²,    f = 0 at (3, 2) and three more

    >>> from gdlab import problems
    >>> len(problems.himmelblau().minimisers), len(problems.himmelblau().saddles)
    (4, 4)

    Source: D. M. Himmelblau, Applied Nonlinear Programming, 1972.
    """
    root = 20 * np.sqrt(2.0)
    return Problem(
        function=lambda w: (w[0] ** 2 + w[1] - 11) ** 2 + (w[0] + w[1] ** 2 - 7) ** 2,
        name="Himmelblau",
        start=point(-0.5, -0.5),
        source="D. M. Himmelblau, Applied Nonlinear Programming, 1972",
        tags=tags("multimodal", "saddle"),
        minimum=0.0,
        minimisers=(
            point(3.0, 2.0),
            point(-2.805118086952745, 3.131312518250573),
            point(-3.779310253377747, -3.2831859912861696),
            point(3.5844283403304917, -1.8481265269644036),
        ),
        saddles=(
            point(3.385154183607021, 0.07385187983774928),
            point(0.08667750455539636, 2.884254701174776),
            point(-3.0730257507643897, -0.08135304428796751),
            point(-0.12796134673068008, -1.9537149802445763),
        ),
        maximisers=(point(-0.2708445906673476, -0.9230385564799815),),
        spectrum=point(54 - root, 54 + root),
        bounds=((-5.0, 5.0), (-5.0, 5.0)),
    )


@checked
def rastrigin(size: Length = 2) -> Problem:
    """Rastrigin's function: a bowl with a grid of dents.

    f(w) = Σᵢ 10 + wᵢ² − 10 cos 2πwᵢ,    f = 0 at 0

    >>> from gdlab import problems
    >>> problems.rastrigin(3).spectrum
    array([396.784176, 396.784176, 396.784176])

    Source: L. A. Rastrigin, Systems of extremal control, 1974; for n dimensions H. Mühlenbein,
    M. Schomisch, J. Born, The parallel genetic algorithm as function optimizer, 1991.
    """
    bend = 40 * np.pi**2
    return Problem(
        function=lambda w: jnp.sum(10 + w**2 - 10 * jnp.cos(2 * jnp.pi * w)),
        name="Rastrigin" if size == 2 else f"Rastrigin in {size} dimensions",
        start=np.resize([-2.2, 3.3], size),
        source="L. A. Rastrigin, Systems of extremal control, 1974",
        tags=tags("multimodal"),
        minimum=0.0,
        minimisers=(np.zeros(size),),
        spectrum=np.full(size, 2 + bend),
        curvature_bounds=(2 - bend, 2 + bend),
        bounds=((-5.12, 5.12), (-5.12, 5.12)) if size == 2 else None,
    )


@checked
def ackley(size: Length = 2) -> Problem:
    """Ackley's function: a dented plain around a steep funnel with a pointed bottom.

    f(w) = 20 + e − 20 exp(−0.2 √(Σᵢ wᵢ²/n)) − exp(Σᵢ cos(2πwᵢ)/n),    f = 0 at 0

    At the minimum it is a cone without a derivative; the gradient there is defined as zero.

    >>> import jax
    >>> from gdlab import problems
    >>> jax.grad(problems.ackley())(problems.ackley().minimisers[0])
    Array([0., 0.], dtype=float32)

    Source: D. H. Ackley, A Connectionist Machine for Genetic Hillclimbing, 1987.
    """

    def function(w: jax.Array) -> jax.Array:
        square = jnp.mean(w**2)
        away = square > 0
        # Avoid the derivative of the square root at zero, which is infinite.
        radius = jnp.where(away, jnp.sqrt(jnp.where(away, square, 1)), 0)
        # Differences from the values at 0, so that the minimum is exact.
        funnel = -20 * jnp.expm1(-0.2 * radius)
        return funnel - jnp.e * jnp.expm1(jnp.mean(jnp.cos(2 * jnp.pi * w)) - 1)

    return Problem(
        function=function,
        name="Ackley" if size == 2 else f"Ackley in {size} dimensions",
        start=np.resize([-2.3, 3.4], size),
        source="D. H. Ackley, A Connectionist Machine for Genetic Hillclimbing, 1987",
        tags=tags("multimodal", "nonsmooth"),
        minimum=0.0,
        minimisers=(np.zeros(size),),
        bounds=((-5.0, 5.0), (-5.0, 5.0)) if size == 2 else None,
    )


@checked
def styblinski_tang(size: Length = 2) -> Problem:
    """The function of Styblinski and Tang: each coordinate has a good well and a bad one.

    f(w) = ½ Σᵢ wᵢ⁴ − 16wᵢ² + 5wᵢ,    f = −39.166n at wᵢ = −2.9035

    In up to three dimensions the problem knows all 3ⁿ critical points.

    >>> from gdlab import problems
    >>> problem = problems.styblinski_tang()
    >>> len(problem.local_minimisers), len(problem.saddles), len(problem.maximisers)
    (3, 4, 1)

    Source: M. A. Styblinski, T.-S. Tang, Experiments in nonconvex optimization, 1990.
    """
    good, bad, hill = -2.903534027771177, 2.746802770990837, 0.1567312567803401
    choices = list(itertools.product((good, bad, hill), repeat=size)) if size <= 3 else []
    minima = [c for c in choices if hill not in c and c != (good,) * size]
    maxima = [c for c in choices if set(c) == {hill}]
    saddles = [c for c in choices if hill in c and c not in maxima]
    return Problem(
        function=lambda w: 0.5 * jnp.sum(w**4 - 16 * w**2 + 5 * w),
        name="Styblinski–Tang" if size == 2 else f"Styblinski–Tang in {size} dimensions",
        start=np.resize([0.5, 3.5], size),
        source="M. A. Styblinski, T.-S. Tang, Experiments in nonconvex optimization, 1990",
        tags=tags("multimodal", saddle=bool(saddles)),
        minimum=-39.16616570377141 * size,
        minimisers=(np.full(size, good),),
        local_minimisers=tuple(point(*c) for c in minima),
        saddles=tuple(point(*c) for c in saddles),
        maximisers=tuple(point(*c) for c in maxima),
        spectrum=np.full(size, 6 * good**2 - 16),
        bounds=((-5.0, 5.0), (-5.0, 5.0)) if size == 2 else None,
    )


@checked
def goldstein_price() -> Problem:
    """The function of Goldstein and Price: four minima, and values over six decades.

    f(x, y) = (1 + (x+y+1)² (19 − 14x + 3x² − 14y + 6xy + 3y²))
    × (30 + (2x−3y)² (18 − 32x + 12x² + 48y − 36xy + 27y²)),    f = 3 at (0, −1)

    >>> from gdlab import problems
    >>> [float(problems.goldstein_price()(w)) for w in problems.goldstein_price().local_minimisers]
    [30.0, 84.0, 840.0]

    Source: A. A. Goldstein, J. F. Price, On descent from local minima, 1971.
    """

    def function(w: jax.Array) -> jax.Array:
        x, y = w
        first = 19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2
        second = 18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2
        return (1 + (x + y + 1) ** 2 * first) * (30 + (2 * x - 3 * y) ** 2 * second)

    return Problem(
        function=function,
        name="Goldstein–Price",
        start=point(-1.5, 1.0),
        source="A. A. Goldstein, J. F. Price, On descent from local minima, 1971",
        tags=tags("multimodal"),
        minimum=3.0,
        minimisers=(point(0.0, -1.0),),
        local_minimisers=(point(-0.6, -0.4), point(1.8, 0.2), point(1.2, 0.8)),
        spectrum=684 + np.sqrt(79056.0) * point(-1.0, 1.0),
        bounds=((-2.0, 2.0), (-2.0, 2.0)),
    )


@checked
def three_hump_camel() -> Problem:
    """The camel with three humps: a minimum with a shallower one on either side.

    f(x, y) = 2x² − 1.05x⁴ + x⁶/6 + xy + y²,    f = 0 at (0, 0)

    >>> from gdlab import problems
    >>> problems.three_hump_camel().spectrum
    array([1.585786, 4.414214])

    Source: M. Jamil, X.-S. Yang, A literature survey of benchmark functions, 2013.
    """
    # The gradient vanishes where y = −x/2 and x⁴ − 4.2x² + 3.5 = 0, or x = 0.
    pass_, well = (np.sqrt(2.1 + sign * np.sqrt(0.91)) for sign in (-1, 1))
    return Problem(
        function=lambda w: (
            2 * w[0] ** 2 - 1.05 * w[0] ** 4 + w[0] ** 6 / 6 + w[0] * w[1] + w[1] ** 2
        ),
        name="three-hump camel",
        start=point(-2.0, -1.5),
        source=SURVEY,
        tags=tags("multimodal", "saddle"),
        minimum=0.0,
        minimisers=(point(0.0, 0.0),),
        local_minimisers=(point(-well, well / 2), point(well, -well / 2)),
        saddles=(point(-pass_, pass_ / 2), point(pass_, -pass_ / 2)),
        spectrum=3 + np.sqrt(2.0) * point(-1.0, 1.0),
        bounds=((-2.5, 2.5), (-2.5, 2.5)),
    )


@checked
def six_hump_camel() -> Problem:
    """The camel with six humps: six minima, two of them global.

    f(x, y) = (4 − 2.1x² + x⁴/3) x² + xy + (4y² − 4) y²,    f = −1.0316 at ±(0.0898, −0.7127)

    >>> from gdlab import problems
    >>> len(problems.six_hump_camel().minimisers), len(problems.six_hump_camel().local_minimisers)
    (2, 4)

    Source: L. C. W. Dixon, G. P. Szegő, The global optimization problem: an introduction, 1978.
    """

    def function(w: jax.Array) -> jax.Array:
        x, y = w
        return (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (4 * y**2 - 4) * y**2

    def both(x: float, y: float) -> tuple[np.ndarray, np.ndarray]:
        return point(x, y), point(-x, -y)

    return Problem(
        function=function,
        name="six-hump camel",
        start=point(-1.9, 0.9),
        source="L. C. W. Dixon, G. P. Szegő, The global optimization problem: an introduction, "
        "1978",
        tags=tags("multimodal", "saddle"),
        minimum=-1.0316284534898774,
        minimisers=both(0.08984201310031806, -0.7126564030207396),
        local_minimisers=(
            *both(1.703606714969981, -0.7960835686726251),
            *both(1.6071047529201972, 0.5686514548841314),
        ),
        saddles=(
            point(0.0, 0.0),
            *both(1.1092053368047865, -0.7682680925095399),
            *both(1.2960702671671092, 0.6050843880386585),
            *both(1.6380679841897785, 0.22867406904439408),
        ),
        maximisers=both(1.2302298765166526, 0.16233458445899496),
        spectrum=point(7.682251413369077, 16.49319523222773),
        bounds=((-2.0, 2.0), (-1.1, 1.1)),
    )


@checked
def branin() -> Problem:
    """Branin's function: three minima of equal value in a row.

    f(x, y) = (y − 5.1x²/4π² + 5x/π − 6)² + 10(1 − 1/8π) cos x + 10,    f = 5/4π at (π, 2.275)

    >>> from gdlab import problems
    >>> [float(problems.branin()(w)) for w in problems.branin().minimisers]
    [0.39789, 0.39789, 0.39789]

    Source: F. H. Branin, Widely convergent method for finding multiple solutions of simultaneous
    nonlinear equations, 1972.
    """

    def function(w: jax.Array) -> jax.Array:
        x, y = w
        bent = y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6
        return bent**2 + 10 * (1 - 1 / (8 * np.pi)) * jnp.cos(x) + 10

    slope = -2 * 5.1 / (4 * np.pi**2) * np.pi + 5 / np.pi
    lift = 10 * (1 - 1 / (8 * np.pi))
    return Problem(
        function=function,
        name="Branin",
        start=point(-4.0, 3.0),
        source="F. H. Branin, Widely convergent method for finding multiple solutions of "
        "simultaneous nonlinear equations, 1972",
        tags=tags("multimodal"),
        minimum=5 / (4 * np.pi),
        minimisers=(point(np.pi, 2.275), point(-np.pi, 12.275), point(3 * np.pi, 2.475)),
        # At a minimiser the bent coordinate is 0 and cos x = −1.
        spectrum=np.linalg.eigvalsh(np.array([[2 * slope**2 + lift, 2 * slope], [2 * slope, 2.0]])),
        bounds=((-5.0, 10.0), (0.0, 15.0)),
    )


@checked
def bohachevsky() -> Problem:
    """Bohachevsky's first function: a bowl with ripples.

    f(x, y) = x² + 2y² − 0.3 cos 3πx − 0.4 cos 4πy + 0.7,    f = 0 at (0, 0)

    >>> from gdlab import problems
    >>> problems.bohachevsky()(problems.bohachevsky().minimisers[0])
    Array(0., dtype=float32)

    Source: I. O. Bohachevsky, M. E. Johnson, M. L. Stein, Generalized simulated annealing for
    function optimization, 1986.
    """

    def function(w: jax.Array) -> jax.Array:
        x, y = w
        # 1 − cos, so that the minimum is exact.
        ripples = 0.3 * (1 - jnp.cos(3 * np.pi * x)) + 0.4 * (1 - jnp.cos(4 * np.pi * y))
        return x**2 + 2 * y**2 + ripples

    bends = point(2.7, 6.4) * np.pi**2
    return Problem(
        function=function,
        name="Bohachevsky",
        start=point(-1.3, 1.1),
        source="I. O. Bohachevsky, M. E. Johnson, M. L. Stein, Generalized simulated annealing "
        "for function optimization, 1986",
        tags=tags("multimodal"),
        minimum=0.0,
        minimisers=(point(0.0, 0.0),),
        spectrum=point(2.0, 4.0) + bends,
        curvature_bounds=(float(4 - bends[1]), float(4 + bends[1])),
        bounds=((-1.5, 1.5), (-1.5, 1.5)),
    )


@checked
def griewank(size: Length = 2) -> Problem:
    """Griewank's function: a wide bowl full of small dents.

    f(w) = Σᵢ wᵢ²/4000 + 1 − Πᵢ cos(wᵢ/√i),    f = 0 at 0

    >>> from gdlab import problems
    >>> problems.griewank().spectrum
    array([0.5005, 1.0005])

    Source: A. O. Griewank, Generalized descent for global optimization, 1981.
    """
    scales = 1 / np.sqrt(np.arange(1, size + 1))

    def function(w: jax.Array) -> jax.Array:
        return jnp.sum(w**2) / 4000 + 1 - jnp.prod(jnp.cos(w * jnp.asarray(scales, w.dtype)))

    return Problem(
        function=function,
        name="Griewank" if size == 2 else f"Griewank in {size} dimensions",
        start=np.resize([-7.0, 6.0], size),
        source="A. O. Griewank, Generalized descent for global optimization, 1981",
        tags=tags("multimodal", ravine=size > 10),
        minimum=0.0,
        minimisers=(np.zeros(size),),
        spectrum=np.sort(scales**2) + 1 / 2000,
        bounds=((-10.0, 10.0), (-10.0, 10.0)) if size == 2 else None,
    )


@checked
def levy(size: Length = 2) -> Problem:
    """Lévy's function: a bowl with waves across it.

    f(w) = sin² πz₁ + Σᵢ (zᵢ − 1)² (1 + 10 sin²(πzᵢ + 1)) + (zₙ − 1)² (1 + sin² 2πzₙ), with
    z = 1 + (w − 1)/4 and the sum over i < n,    f = 0 at (1, …, 1)

    >>> from gdlab import problems
    >>> problems.levy(3).minimisers
    (array([1., 1., 1.]),)

    Source: A. V. Levy, A. Montalvo, The tunneling algorithm for the global minimization of
    functions, 1985.
    """

    def function(w: jax.Array) -> jax.Array:
        d = (w - 1) / 4
        # sin² π(1 + d) is sin² πd: exactly zero at the minimiser.
        waves = 1 + 10 * jnp.sin(np.pi * (1 + d[:-1]) + 1) ** 2
        first, last = jnp.sin(np.pi * d[0]) ** 2, 1 + jnp.sin(2 * np.pi * d[-1]) ** 2
        return first + jnp.sum(d[:-1] ** 2 * waves) + d[-1] ** 2 * last

    bends = np.append(np.full(size - 1, (1 + 10 * np.sin(1.0) ** 2) / 8), 1 / 8)
    bends[0] += np.pi**2 / 8
    return Problem(
        function=function,
        name="Lévy" if size == 2 else f"Lévy in {size} dimensions",
        start=np.resize([-6.0, 7.0], size),
        source="A. V. Levy, A. Montalvo, The tunneling algorithm for the global minimization of "
        "functions, 1985",
        tags=tags("multimodal", ravine=size > 1),
        minimum=0.0,
        minimisers=(np.ones(size),),
        spectrum=np.sort(bends),
        bounds=((-10.0, 10.0), (-10.0, 10.0)) if size == 2 else None,
    )
