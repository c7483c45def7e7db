"""Second-order methods, beside their papers and libraries.

Line searches and trust regions evaluate the loss, which this table has not: their witnesses are
SciPy's methods on the classic problems, in ``tests/optimizers/curvature``.
"""

from functools import partial

import jax.numpy as jnp
import numpy as np

import gdlab
from tests.oracles.method import Method
from tests.references import curvature as ref

# Gradients that know nothing of the parameters make curvatures of either sign and any size, along
# which a rounding may grow or all steps vanish; along those of these leaves they do neither.
TAME = ("scalar", "matrix", "cube")


def diagonal(shape):
    """Curvatures of either sign, 0 among them."""
    return np.sin(np.arange(np.prod(shape, dtype=int)).reshape(shape))


@gdlab.leafwise
def known_diagonal():
    """The curvatures, in place of an estimate."""
    return lambda u: jnp.asarray(diagonal(u.shape), u.dtype)


def conjugate_descent(learning_rate, beta):
    return gdlab.chain(gdlab.conjugate_direction(beta), gdlab.scale_by_learning_rate(learning_rate))


METHODS = {
    **{
        f"conjugate_direction, {beta}": Method(
            partial(conjugate_descent, beta=beta),
            partial(ref.conjugate_gradients, method=beta),
            also="scipy on the classics, conjugate gradients on quadratics: test_nonlinear_cg.py",
            whole=True,
            leaves=TAME,
            rtol=1e-11,  # inner products nearly cancel along gradients of noise
        )
        for beta in ("FR", "PR+", "HS", "DY")
    },
    "adahessian": Method(
        partial(gdlab.adahessian, weight_decay=0.1, hessian_diagonal_fn=known_diagonal()),
        partial(ref.adahessian, weight_decay=0.1, curvature=diagonal),
        also="adam where the curvature is the gradient: test_hessian_diagonal.py",
    ),
    "adahessian with a power": Method(
        partial(
            gdlab.adahessian,
            b1=0.8,
            b2=0.9,
            eps=1e-2,
            hessian_power=0.5,
            update_interval=1,
            hessian_diagonal_fn=known_diagonal(),
        ),
        partial(ref.adahessian, b1=0.8, b2=0.9, eps=1e-2, hessian_power=0.5, curvature=diagonal),
        also="adam where the curvature is the gradient: test_hessian_diagonal.py",
    ),
    "lbfgs with steps of given sizes": Method(
        partial(gdlab.lbfgs, memory_size=4, linesearch=None),
        partial(ref.lbfgs, memory_size=4),
        also="optax along Rosenbrock's valley: test_lbfgs.py",
        whole=True,
        leaves=TAME,
    ),
    "lbfgs from the identity": Method(
        partial(gdlab.lbfgs, memory_size=4, scale_init_precond=False, linesearch=None),
        partial(ref.lbfgs, memory_size=4, scale_init_precond=False),
        also="conjugate gradients, BFGS: test_lbfgs.py",
        whole=True,
        leaves=TAME,
        rtol=1e-10,  # some curvatures are next to none, and their inverses large
    ),
    "sophia": Method(
        partial(
            gdlab.sophia,
            gamma=0.5,
            weight_decay=0.1,
            update_interval=3,
            hessian_diagonal_fn=known_diagonal(),
        ),
        partial(ref.sophia, gamma=0.5, weight_decay=0.1, update_interval=3, curvature=diagonal),
        also="optax but for its two departures: test_hessian_diagonal.py",
    ),
}
