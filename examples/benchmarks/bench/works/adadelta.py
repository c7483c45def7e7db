"""Adadelta on one long vector: two averages, the second of which waits for the step itself."""

import optax

import gdlab

from ..figures import Figure
from ..timing import Effort
from .elementwise import Targets, compare, of_gdlab, of_optax


def adadelta(effort: Effort) -> list[Figure]:
    """Adadelta with its usual learning rate of 1."""
    contenders = {
        "gdlab": of_gdlab(gdlab.adadelta(1.0)),
        "optax": of_optax(optax.adadelta(1.0)),
    }
    targets = {"gdlab": Targets(words=12, temporaries=0, ratios={})}
    return compare(effort, contenders, 7, targets, ("torch_adadelta",))
