"""Adam whose moments or parameters are stored in fewer bits."""

import jax.numpy as jnp
import optax

import gdlab

from ..figures import Figure
from ..timing import Effort
from .elementwise import Targets, compare, of_gdlab, of_optax

RATE = 1e-3
FLOAT32 = "gdlab, float32"


def bfloat16_moments(effort: Effort) -> list[Figure]:
    """Moments in bfloat16, rounded to nearest as a first moment can be, or at random."""
    contenders = {
        "gdlab": of_gdlab(gdlab.stored(gdlab.adam(RATE), "bfloat16")),
        "gdlab, mu only": of_gdlab(gdlab.stored(gdlab.adam(RATE), {"mu": "bfloat16"})),
        FLOAT32: of_gdlab(gdlab.adam(RATE)),
        "optax, mu only": of_optax(optax.adam(RATE, mu_dtype=jnp.bfloat16)),
    }
    targets = {"gdlab": Targets(words=7, temporaries=0, ratios={FLOAT32: 0.85})}
    return compare(effort, contenders, 5, targets, baseline=FLOAT32)


def int8_moments(effort: Effort) -> list[Figure]:
    """Moments in eight bits, a scale for each block."""
    contenders = {
        "gdlab": of_gdlab(gdlab.stored(gdlab.adam(RATE), "int8")),
        FLOAT32: of_gdlab(gdlab.adam(RATE)),
    }
    return compare(effort, contenders, 4, {}, baseline=FLOAT32)


def bfloat16_params(effort: Effort) -> list[Figure]:
    """Parameters and gradients in bfloat16: as they come, and in the ways that let them learn."""
    ways = ("stochastic", "master", "split", "kahan")
    contenders = {FLOAT32: of_gdlab(gdlab.adam(RATE))}
    contenders["gdlab, plain"] = of_gdlab(gdlab.adam(RATE), "bfloat16")
    for way in ways:
        tx = gdlab.stored(gdlab.adam(RATE), "float32", params=way)
        contenders[f"gdlab, {way}"] = of_gdlab(tx, "bfloat16")
    return compare(effort, contenders, 5.5, {}, baseline=FLOAT32)
