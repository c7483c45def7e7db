"""Second-order methods, beside their papers and libraries.

Line searches and trust regions evaluate the loss, which this table has not: their witnesses are
SciPy's methods on the classic problems, in ``tests/optimizers/curvature``.
"""

from functools import partial

import gdlab
from tests.oracles.method import Method
from tests.references import curvature as ref

# Gradients that know nothing of the parameters make curvatures of either sign and any size, along
# which a rounding may grow or all steps vanish; along those of these leaves they do neither.
TAME = ("scalar", "matrix", "cube")

METHODS = {
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
}
