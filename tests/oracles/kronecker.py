"""Methods with a preconditioner for each axis, beside their papers and libraries."""

from functools import partial

import gdlab
from tests.oracles.method import Method
from tests.references import kronecker as ref

MATRICES = ("matrix", "wide", "cube")
"""The leaves that have factors: libraries treat vectors in other ways."""

METHODS = {
    "shampoo": Method(
        partial(gdlab.shampoo, eps=1e-2),
        partial(ref.shampoo, eps=1e-2),
        # Its factors start at ε times the identity, and each array has its own root 1/2k.
        others={"pytorch_optimizer": lambda o, p: o.Shampoo(p, matrix_eps=1e-2)},
        leaves=MATRICES,
    ),
    "shampoo on every rank, averaging, with decay and momentum, its roots now and then": Method(
        partial(
            gdlab.shampoo,
            decay=0.9,
            eps=1e-2,
            momentum=0.9,
            weight_decay=0.1,
            every=3,
            relative_eps=True,
        ),
        partial(
            ref.shampoo,
            decay=0.9,
            eps=1e-2,
            momentum=0.9,
            weight_decay=0.1,
            every=3,
            relative_eps=True,
        ),
        also="diagonal on vectors, and invariant to rotations: test_shampoo.py",
    ),
    "shampoo in blocks, on one axis, with another exponent": Method(
        partial(gdlab.shampoo, eps=1e-2, block_size=2, axes=0, exponent=0.3),
        partial(ref.shampoo, eps=1e-2, block_size=2, axes=(0,), exponent=0.3),
        also="blocks are arrays of their own: test_shampoo.py",
    ),
    "shampoo grafted onto Adagrad, which starts alone": Method(
        partial(
            gdlab.shampoo,
            eps=1e-2,
            graft=gdlab.scale_by_rss(0.0, 0.0),
            start=5,
            momentum=0.5,
        ),
        partial(ref.shampoo, eps=1e-2, graft="adagrad", start=5, momentum=0.5),
        also="the length is that of the graft: test_shampoo.py",
    ),
    "shampoo with statistics of least divergence": Method(
        partial(gdlab.shampoo, decay=0.9, eps=1e-1, statistics="kl"),
        partial(ref.shampoo, decay=0.9, eps=1e-1, kl=True),
        also="factors of Gaussian gradients are found: test_shampoo.py",
    ),
    "caspr": Method(
        partial(gdlab.caspr, eps=1e-2, momentum=0.9),
        partial(ref.shampoo, eps=1e-2, momentum=0.9, summed=True),
        also="bounds Shampoo's preconditioner from above: test_caspr.py",
    ),
}
