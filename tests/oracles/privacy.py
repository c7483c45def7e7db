"""Private methods beside their papers and other libraries, on a lot of one example."""

from functools import partial

import optax
import optax.contrib

import gdlab
from tests.oracles.method import Method
from tests.references import privacy


def as_one_example(u, _):
    return u[None]


METHODS = {
    "dpsgd without noise": Method(
        gdlab=lambda eta: gdlab.chain(
            gdlab.stateless_with_tree_map(as_one_example), gdlab.dpsgd(eta, 4.0, 0.0, 0.9)
        ),
        paper=partial(privacy.dpsgd, clip=4.0, momentum=0.9),
        optax=lambda eta: optax.chain(
            optax.stateless_with_tree_map(as_one_example),
            optax.contrib.differentially_private_aggregate(4.0, 0.0, 0),
            optax.sgd(eta, 0.9),
        ),
        whole=True,
    ),
}
