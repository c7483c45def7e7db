"""Adam on one long vector, alone, clipped, and with several results in one kernel."""

import optax

import gdlab

from ..figures import Figure
from ..timing import Effort
from . import by_hand
from .elementwise import Targets, compare, of_gdlab, of_optax

RATE = 1e-3
LEAST_WORDS = 7
"""Parameter, gradient and two moments are read; all but the gradient are written."""


def clipped_adamw(effort: Effort) -> list[Figure]:
    """Clipping by the global norm and AdamW: the norm needs the whole gradient first."""
    contenders = {
        "gdlab": of_gdlab(gdlab.chain(gdlab.clip_by_global_norm(1.0), gdlab.adamw(RATE))),
        "optax": of_optax(optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(RATE))),
        "by hand": by_hand.clipped_adamw,
    }
    targets = {"gdlab": Targets(words=13, temporaries=0, ratios={"optax": 0.5})}
    return compare(effort, contenders, LEAST_WORDS + 1, targets, ("torch_fused_clipped",))


def adam(effort: Effort) -> list[Figure]:
    """Adam as XLA compiles it unless told otherwise: one result for each kernel on a CPU."""
    contenders = {
        "gdlab": of_gdlab(gdlab.adam(RATE)),
        "optax": of_optax(optax.adam(RATE)),
        "by hand": by_hand.adam,
    }
    targets = {"gdlab": Targets(words=10, temporaries=0, ratios={"optax": 1.0})}
    return compare(effort, contenders, LEAST_WORDS, targets, ("torch_fused", "torch_foreach"))


def adam_fused(effort: Effort) -> list[Figure]:
    """Adam where XLA may write several results in one kernel."""
    contenders = {
        "gdlab": of_gdlab(gdlab.adam(RATE)),
        "optax": of_optax(optax.adam(RATE)),
        "by hand": by_hand.split_adam,
    }
    targets = {"gdlab": Targets(words=7, temporaries=0, ratios={"optax": 0.75, "torch fused": 1.0})}
    return compare(effort, contenders, LEAST_WORDS, targets, ("torch_fused",))
