"""Adam whose moments are stored in fewer bits."""

import jax.numpy as jnp
import optax

import gdlab

from ..figures import Figure
from ..timing import Effort
from .elementwise import Targets, compare, of_gdlab, of_optax

RATE = 1e-3


def bfloat16_moments(effort: Effort) -> list[Figure]:
    """Moments in bfloat16 against the same in float32."""
    contenders = {
        "gdlab": of_gdlab(gdlab.adam(RATE, mu_dtype=jnp.bfloat16)),
        "gdlab, float32": of_gdlab(gdlab.adam(RATE)),
        "optax, mu only": of_optax(optax.adam(RATE, mu_dtype=jnp.bfloat16)),
    }
    targets = {"gdlab": Targets(words=7, temporaries=0, ratios={"gdlab, float32": 0.85})}
    return compare(effort, contenders, 5, targets)
